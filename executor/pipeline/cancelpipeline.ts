import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Cancelled, type CancelMeans, cancelRun } from "../run/cancel.js";
import { markCancelled } from "../run/record/summary.js";
import { takeOver } from "../run/record/takeover.js";
import { killLeftoverCommand } from "./commandstep.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";

/** What became of a pipeline that was to be ended: of each of its jobs that had begun. */
export interface CancelledPipeline {
  name: string;
  directory: string;
  state: "cancelled" | "complete";
  steps: (Cancelled & { step: string })[];
}

/**
 * Ends the pipeline in the run directory `path`: its coordinator, where it lives, then what its jobs have on nodes and what is
 * left of its commands here. Rejects as takeOver does.
 */
export async function cancelPipeline(path: string, means: CancelMeans): Promise<CancelledPipeline> {
  const taken = await takeOver<PipelineEntry, PipelineReplay>(path, () => new PipelineReplay(), means.ending);
  try {
    const { past, journal } = taken;
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
    taken.close();
  }
}
