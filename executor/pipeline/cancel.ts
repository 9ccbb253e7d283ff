import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Cancelled, type CancelMeans, cancelRun } from "../run/cancel.js";
import { markCancelled } from "../run/record/summary.js";
import { takeOver } from "../run/record/takeover.js";
import { endCommand } from "./command.js";
import { type PipelineEntry, PipelinePast } from "./record.js";

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
  const taken = await takeOver<PipelineEntry, PipelinePast>(path, () => new PipelinePast(), means.ending);
  try {
    const { past, journal } = taken;
    const steps: CancelledPipeline["steps"] = [];
    for (const step of past.pipeline?.steps ?? []) {
      const folder = join(path, step);
      if (existsSync(join(folder, "journal.ndjson"))) steps.push({ step, ...(await cancelRun(folder, means)) });
      await endCommand(folder);
    }
    const state = past.closed === "complete" ? "complete" : "cancelled";
    if (state === "cancelled") {
      markCancelled(path);
      journal.add({ e: "close", state, at: new Date().toISOString() });
      await journal.flush();
    }
    return { name: past.pipeline?.name ?? path, directory: path, state, steps };
  } finally {
    taken.close();
  }
}
