import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CancelledRun, type CancelOptions, cancelRun } from "../run/cancelrun.js";
import { takeOverRunLock } from "../run/record/runlock.js";
import { markCancelled } from "../run/record/runsummary.js";
import { killLeftoverCommand } from "./commandstep.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";

/** The result of cancelling a pipeline, with that of each job that had begun. */
export interface CancelledPipeline {
  name: string;
  directory: string;
  state: "cancelled" | "complete";
  steps: (CancelledRun & { step: string })[];
}

/**
 * Cancels the pipeline in the run directory `path`: ends its coordinator, if it is alive, then the work of its jobs on nodes and the
 * processes of its commands on this machine. Rejects as `takeOverRunLock` does.
 */
export async function cancelPipeline(path: string, options: CancelOptions): Promise<CancelledPipeline> {
  const replay = new PipelineReplay();
  const apply = (entry: PipelineEntry) => replay.apply(entry);
  const journal = await takeOverRunLock(path, apply, (pid) => options.onEvent({ type: "coordinatorStopping", pid }));
  try {
    const steps: CancelledPipeline["steps"] = [];
    for (const step of replay.listStepsAndRepetitions()) {
      const folder = join(path, step);
      if (existsSync(join(folder, "journal.ndjson"))) steps.push({ step, ...(await cancelRun(folder, options)) });
      await killLeftoverCommand(folder);
    }
    const state = replay.finalState === "complete" ? "complete" : "cancelled";
    if (state === "cancelled") {
      markCancelled(path);
      journal.add({ e: "close", state, at: new Date().toISOString() });
      await journal.flush();
    }
    return { name: replay.header?.name ?? path, directory: path, state, steps };
  } finally {
    journal.close();
  }
}
