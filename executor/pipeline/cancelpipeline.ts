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
export async function cancelPipeline(path: string, means: CancelOptions): Promise<CancelledPipeline> {
  const past = new PipelineReplay();
  const apply = (entry: PipelineEntry) => past.apply(entry);
  const journal = await takeOverRunLock(path, apply, means.onCoordinatorStopping);
  try {
    const steps: CancelledPipeline["steps"] = [];
    for (const step of past.header?.steps ?? []) {
      const folder = join(path, step);
      if (existsSync(join(folder, "journal.ndjson"))) steps.push({ step, ...(await cancelRun(folder, means)) });
      await killLeftoverCommand(folder);
    }
    const state = past.finalState === "complete" ? "complete" : "cancelled";
    if (state === "cancelled") {
      markCancelled(path);
      journal.add({ e: "close", state, at: new Date().toISOString() });
      await journal.flush();
    }
    return { name: past.header?.name ?? path, directory: path, state, steps };
  } finally {
    journal.close();
  }
}
