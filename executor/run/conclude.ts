import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import type { Job } from "../job/job.js";
import type { RunPlan } from "../schedule/plan/planjob.js";
import { type Cleaning, cleanAfter } from "./cleaning.js";
import type { Coordinator } from "./coordinator.js";
import type { Ended } from "./ended.js";
import { killPoint } from "./killpoint.js";
import type { Leftover } from "./record/leftovers.js";
import { withPlan } from "./record/planned.js";
import type { RunDirectory } from "./record/rundir.js";
import { type LeftOut, type Summary, summarize, writeSummary } from "./record/summary.js";
import { aggregate } from "./results/aggregate.js";
import { explainDisk } from "./results/disk.js";
import { sortResults } from "./results/results.js";
import type { UnitCensus } from "./results/unitcensus.js";

/** A run whose work is over. `plan` makes what was expected of it. */
export interface Worked {
  job: Job;
  directory: RunDirectory;
  coordinator: Coordinator;
  leftOut: LeftOut[];
  cleaning: Cleaning;
  plan: () => RunPlan;
}

/**
 * Ends a run: results and aggregate in chunk order, then the summary and how it ended. Nodes leave meanwhile, which takes as long, and
 * the plan is made then, too: before the first chunk it would have been waited for. A disk that fails here is how it ended.
 */
export async function conclude(
  { job, directory, coordinator, leftOut, cleaning, plan }: Worked,
  worked: Ended,
): Promise<Summary> {
  const [left, ordered, planned] = await Promise.allSettled([
    coordinator.leave(worked).then(() => cleanAfter(coordinator.members, worked, cleaning)),
    putInOrder(job, directory, worked),
    turn().then(plan),
  ]);
  if (left.status === "rejected") throw left.reason;
  if (planned.status === "rejected") throw planned.reason;
  const leftovers = left.value;
  const summaryOf = (ended: Ended) => {
    const { tally, members } = coordinator;
    return { ...withPlan(summarize(directory.path, tally, members, leftOut, ended), planned.value), leftovers };
  };
  try {
    if (worked.state === "broken") throw worked.error;
    if (ordered.status === "rejected") throw ordered.reason;
    if (worked.state === "complete") refuseIncomplete(directory.path, job, ordered.value);
    const summary = summaryOf(worked);
    writeSummary(summary);
    await close(directory, worked.state, leftovers);
    return summary;
  } catch (error) {
    const summary = summaryOf({ state: "broken", error: diskErrorOf(directory.path, error) });
    noteBroken(summary);
    return summary;
  }
}

/** Returns the units that results.ndjson has, where the run has come to its end. */
async function putInOrder(job: Job, { path }: RunDirectory, { state }: Ended): Promise<UnitCensus | undefined> {
  if (state !== "complete" && state !== "partial") return undefined;
  const census = await sortResults(join(path, "results.ndjson"), job);
  if (job.aggregate !== undefined) await aggregate(path, job, job.aggregate);
  return census;
}

/** "Complete" is said only of results that were counted. */
function refuseIncomplete(path: string, job: Job, census: UnitCensus | undefined): void {
  const units = census?.units.size() ?? 0n;
  if (units === job.units && census?.surplus === undefined) return;
  const surplus = census?.surplus === undefined ? "" : `, and a line too many, of ${census.surplus}`;
  throw new MusterError("RESULTS_DAMAGED", 3, `${path}/results.ndjson has ${units} of ${job.units} units${surplus}`, {
    next: "Start a new run beside this one with --fresh, and report this as a bug of muster.",
  });
}

async function close(
  { journal }: RunDirectory,
  ended: Exclude<Ended["state"], "broken">,
  leftovers: Leftover[],
): Promise<void> {
  killPoint("closing");
  const state = ended === "stranded" || ended === "superseded" ? "interrupted" : ended;
  journal.add({ e: "close", state, at: new Date().toISOString(), leftovers });
  await journal.flush();
  killPoint("closed");
}

/** The error of our disk behind `error`. Anything else is a bug, and is thrown. */
function diskErrorOf(path: string, error: unknown): MusterError {
  const explained = explainDisk(path, error);
  if (explained instanceof MusterError) return explained;
  throw error;
}

/** Where the disk leaves room for that. What the journal has is true in any case. */
function noteBroken(summary: Summary): void {
  try {
    writeSummary(summary);
  } catch {
    // The summary goes to the terminal all the same.
  }
}
