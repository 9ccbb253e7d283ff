import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import type { Job } from "../job/job.js";
import type { RunPlan } from "../schedule/plan/planjob.js";
import { type CleanupContext, cleanAfterRun } from "./cleanleftovers.js";
import type { Coordinator } from "./coordinator.js";
import { failpoint } from "./failpoint.js";
import type { PilotWatch } from "./pilots/pilotwatch.js";
import { explainDiskError } from "./record/diskerror.js";
import { replaceSources } from "./record/editedinputs.js";
import type { Leftover } from "./record/leftovers.js";
import type { LineCoverage } from "./record/linecoverage.js";
import { sortResultLines } from "./record/resultlines.js";
import type { RunDirectory } from "./record/rundir.js";
import { type ExcludedNode, type RunSummary, summarize, writeSummary } from "./record/runsummary.js";
import { addPlan } from "./record/summaryplan.js";
import { aggregate } from "./results/aggregate.js";
import { publishCombinedFiles } from "./results/combinedfiles.js";
import { leavesAgentsRunning, type RunEnd } from "./runend.js";

/** What is needed to finish a run. `plan` computes the forecast that the summary compares the run with, if any. */
export interface FinishRunOptions {
  job: Job;
  directory: RunDirectory;
  coordinator: Coordinator;
  pilots: PilotWatch;
  leftOut: ExcludedNode[];
  cleaning: CleanupContext;
  plan: () => RunPlan | undefined;
}

/**
 * Finishes a run: sorts the results, writes the aggregate, then the summary and the journal's last record. The nodes are left and
 * the plan is computed meanwhile. Returns the summary; a disk error changes its state to "broken". Rejects only for bugs.
 */
export async function finishRun(
  { job, directory, coordinator, pilots, leftOut, cleaning, plan }: FinishRunOptions,
  end: RunEnd,
): Promise<RunSummary> {
  const [cleaned, sorted, planned] = await Promise.allSettled([
    coordinator.leave(end).then(async () => {
      const left = await pilots.finish(end, [...directory.formerIds, directory.id], directory.journal);
      return [...(await cleanAfterRun(coordinator.workers, end, cleaning)), ...left];
    }),
    sortResults(job, directory, end),
    turn().then(plan),
  ]);
  if (cleaned.status === "rejected") throw cleaned.reason;
  if (planned.status === "rejected") throw planned.reason;
  const leftovers = cleaned.value;
  const createSummary = (finalEnd: RunEnd) => {
    const { counters, workers, scheduler } = coordinator;
    const summary = summarize(directory.path, counters, workers, leftOut, finalEnd);
    return {
      ...addPlan({ ...summary, session: { ...summary.session, running: scheduler.inFlightCount } }, planned.value),
      ...publishedIn(directory),
      ...(sorted.status === "fulfilled" && sorted.value !== undefined ? aggregatedIn(job) : {}),
      leftovers,
      ...(leavesAgentsRunning(finalEnd) && pilots.names.length > 0 ? { pilots: pilots.names } : {}),
      overhead: coordinator.scheduler.view.costlyOverhead,
    };
  };
  try {
    if (end.state === "broken") throw end.error;
    if (sorted.status === "rejected") throw sorted.reason;
    if (end.state === "complete") {
      rejectIncomplete(directory.path, job, sorted.value);
      await replaceSources(job, directory);
    }
    const summary = createSummary(end);
    writeSummary(summary);
    await writeCloseEntry(directory, end.state, leftovers);
    return summary;
  } catch (error) {
    const summary = createSummary({ state: "broken", error: asDiskError(directory, error) });
    tryWriteSummary(summary);
    return summary;
  }
}

/** Returns the part of a summary that says where results are published; nothing where that is the run directory. */
export function publishedIn({ results }: RunDirectory): Pick<RunSummary, "results"> {
  return results.isShared ? { results: results.path } : {};
}

function aggregatedIn({ aggregate }: Job): Pick<RunSummary, "aggregate"> {
  return aggregate === undefined ? {} : { aggregate: aggregate.to };
}

/** Sorts results.ndjson and writes the aggregate. Returns the units that have a line; undefined where the run is to be resumed. */
async function sortResults(job: Job, directory: RunDirectory, { state }: RunEnd): Promise<LineCoverage | undefined> {
  if (state !== "complete" && state !== "partial") return undefined;
  const coverage = await sortResultLines(join(directory.path, "results.ndjson"), job);
  if (job.aggregate !== undefined) await aggregate(directory, job, job.aggregate);
  await publishCombinedFiles(job, directory);
  return coverage;
}

/** Throws RESULTS_DAMAGED unless each unit of the job has exactly one result line, so that "complete" is always verified. */
function rejectIncomplete(path: string, job: Job, coverage: LineCoverage | undefined): void {
  const units = coverage?.units.size() ?? 0n;
  if (units === job.units && coverage?.firstSurplus === undefined) return;
  const surplus = coverage?.firstSurplus === undefined ? "" : `, and a surplus line of ${coverage.firstSurplus}`;
  throw new MusterError("RESULTS_INCOMPLETE", `${path}/results.ndjson has ${units} of ${job.units} units${surplus}`, {
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

/** Returns the disk error behind `error`; rethrows any other error, which is a bug. */
function asDiskError({ path, results }: RunDirectory, error: unknown): MusterError {
  const explained = explainDiskError(path, error, results.path);
  if (explained instanceof MusterError) return explained;
  throw error;
}

/** Writes the summary where the disk has room for it; the journal is right in any case. */
function tryWriteSummary(summary: RunSummary): void {
  try {
    writeSummary(summary);
  } catch {
    // The summary is printed, too.
  }
}
