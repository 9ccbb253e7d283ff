import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "../../../fleet/engine.js";
import { MusterError } from "../../../schemas/errors.js";
import { monotonicSeconds } from "../timer.js";
import { parseJobName } from "./pilot.js";

/** How long cancelled pilots may take to leave the queue: Slurm kills what does not end within 30 s by default. */
const GONE_SECONDS = 60;
const POLL_SECONDS = [0.3, 0.5, 1, 2, 3, 5];

/** The result of cancelling the pilots of a run on a cluster. `problem`: why some may still exist. */
export interface EndedPilots {
  /** The ids that were cancelled. */
  ids: string[];
  problem?: string;
}

/**
 * Cancels all pilots of a run, found by the names of their jobs, and waits until the queue has none. Errors of the cluster are in the result.
 * `runIds`: all ids that the run ever had.
 */
export function endPilots(engine: Engine, runIds: readonly string[]): Promise<EndedPilots> {
  return endJobs(engine, (_, jobName) => parseJobName(jobName, runIds) !== undefined);
}

/** Does the same with the jobs that `isMeant` says. */
export async function endJobs(engine: Engine, isMeant: (id: string, jobName: string) => boolean): Promise<EndedPilots> {
  const cancelled = new Set<string>();
  const until = monotonicSeconds() + GONE_SECONDS;
  try {
    for (let round = 0; ; round++) {
      const left = [...(await engine.list())].filter(([id, { jobName }]) => isMeant(id, jobName));
      if (left.length === 0) return { ids: [...cancelled] };
      if (monotonicSeconds() > until) {
        const names = left.map(([id]) => id).join(", ");
        return { ids: [...cancelled], problem: `${names} still in its queue ${GONE_SECONDS} s after scancel` };
      }
      const fresh = left.filter(([id, { state }]) => !cancelled.has(id) && state !== "ending").map(([id]) => id);
      if (fresh.length > 0) await engine.cancel(fresh);
      for (const id of fresh) cancelled.add(id);
      await sleep((POLL_SECONDS[round] ?? POLL_SECONDS.at(-1)!) * 1000);
    }
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { ids: [...cancelled], problem: error.reason };
  }
}
