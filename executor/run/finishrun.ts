import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import type { Job } from "../job/job.js";
import type { RunPlan } from "../schedule/plan/planjob.js";
import { type CleanupContext, cleanAfterRun } from "./cleanleftovers.js";
import type { Coordinator } from "./coordinator.js";
import { failpoint } from "./failpoint.js";
import type { Leftover } from "./record/leftovers.js";
import type { RunDirectory } from "./record/rundir.js";
import { type ExcludedNode, type RunSummary, summarize, writeSummary } from "./record/runsummary.js";
import { addPlan } from "./record/summaryplan.js";
import { aggregate } from "./results/aggregate.js";
import { explainDiskError } from "./results/diskspace.js";
import type { LineCoverage } from "./results/linecoverage.js";
import { sortResultLines } from "./results/resultlines.js";
import type { RunEnd } from "./runend.js";

/** A run whose work is over. `plan` makes what was expected of it. */
export interface FinishRunOptions {
  job: Job;
  directory: RunDirectory;
  coordinator: Coordinator;
  leftOut: ExcludedNode[];
  cleaning: CleanupContext;
  plan: () => RunPlan;
}

/**
 * Ends a run: results and aggregate in chunk order, then the summary and how it ended. Nodes leave meanwhile, which takes as long, and
 * the plan is made then, too: before the first chunk it would have been waited for. A disk that fails here is how it ended.
 */
export async function finishRun(
  { job, directory, coordinator, leftOut, cleaning, plan }: FinishRunOptions,
  worked: RunEnd,
): Promise<RunSummary> {
  const [left, ordered, planned] = await Promise.allSettled([
    coordinator.leave(worked).then(() => cleanAfterRun(coordinator.workers, worked, cleaning)),
    sortResults(job, directory, worked),
    turn().then(plan),
  ]);
  if (left.status === "rejected") throw left.reason;
  if (planned.status === "rejected") throw planned.reason;
  const leftovers = left.value;
  const summaryOf = (ended: RunEnd) => {
    const { counters: tally, workers: members } = coordinator;
    return { ...addPlan(summarize(directory.path, tally, members, leftOut, ended), planned.value), leftovers };
  };
  try {
    if (worked.state === "broken") throw worked.error;
    if (ordered.status === "rejected") throw ordered.reason;
    if (worked.state === "complete") rejectIncomplete(directory.path, job, ordered.value);
    const summary = summaryOf(worked);
    writeSummary(summary);
    await writeCloseEntry(directory, worked.state, leftovers);
    return summary;
  } catch (error) {
    const summary = summaryOf({ state: "broken", error: asDiskError(directory.path, error) });
    tryWriteSummary(summary);
    return summary;
  }
}

/** Returns the units that results.ndjson has, where the run has come to its end. */
async function sortResults(job: Job, { path }: RunDirectory, { state }: RunEnd): Promise<LineCoverage | undefined> {
  if (state !== "complete" && state !== "partial") return undefined;
  const census = await sortResultLines(join(path, "results.ndjson"), job);
  if (job.aggregate !== undefined) await aggregate(path, job, job.aggregate);
  return census;
}

/** "Complete" is said only of results that were counted. */
function rejectIncomplete(path: string, job: Job, census: LineCoverage | undefined): void {
  const units = census?.units.size() ?? 0n;
  if (units === job.units && census?.firstSurplus === undefined) return;
  const surplus = census?.firstSurplus === undefined ? "" : `, and a line too many, of ${census.firstSurplus}`;
  throw new MusterError("RESULTS_DAMAGED", 3, `${path}/results.ndjson has ${units} of ${job.units} units${surplus}`, {
    next: "Start a new run beside this one with --fresh, and report this as a bug of muster.",
  });
}

async function writeCloseEntry(
  { journal }: RunDirectory,
  ended: Exclude<RunEnd["state"], "broken">,
  leftovers: Leftover[],
): Promise<void> {
  failpoint("closing");
  const state = ended === "stranded" || ended === "superseded" ? "interrupted" : ended;
  journal.add({ e: "close", state, at: new Date().toISOString(), leftovers });
  await journal.flush();
  failpoint("closed");
}

/** The error of our disk behind `error`. Anything else is a bug, and is thrown. */
function asDiskError(path: string, error: unknown): MusterError {
  const explained = explainDiskError(path, error);
  if (explained instanceof MusterError) return explained;
  throw error;
}

/** Where the disk leaves room for that. What the journal has is true in any case. */
function tryWriteSummary(summary: RunSummary): void {
  try {
    writeSummary(summary);
  } catch {
    // The summary goes to the terminal all the same.
  }
}
