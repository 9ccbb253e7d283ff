import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CancelledRun, type CancelOptions, cancelRun } from "../run/cancelrun.js";
import { takeOverRunLock } from "../run/record/runlock.js";
import { markCancelled } from "../run/record/runsummary.js";
import { killLeftoverCommand } from "./commandstep.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";

/** What became of a pipeline that was to be ended: of each of its jobs that had begun. */
export interface CancelledPipeline {
  name: string;
  directory: string;
  state: "cancelled" | "complete";
  steps: (CancelledRun & { step: string })[];
}

/**
 * Ends the pipeline in the run directory `path`: its coordinator, where it lives, then what its jobs have on nodes and what is
 * left of its commands here. Rejects as takeOverRunLock does.
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
