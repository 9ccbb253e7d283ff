import { Dialer } from "../../fleet/connect.js";
import { readDrains } from "../../fleet/drains.js";
import { formatAddress, type Node } from "../../fleet/node.js";
import type { Job } from "../job/job.js";
import { planJob, type RunPlan } from "../schedule/plan/planjob.js";
import type { LearnedRates } from "../schedule/rates/rates.js";
import { type Candidates, createExclusionError, selectCandidates } from "./candidates.js";
import { type CleanupContext, cleanCompletedRun, createCleanupContext } from "./cleanleftovers.js";
import { Coordinator } from "./coordinator.js";
import { declareLifetime } from "./declarelifetime.js";
import { findDrainsFile } from "./drainwatch.js";
import { finishRun, publishedIn } from "./finishrun.js";
import { journalNotices } from "./noticelog.js";
import { endOpenPilots } from "./pilots/endopenpilots.js";
import { selectUsedClusters } from "./pilots/usedcluster.js";
import { RunCounters } from "./record/counters.js";
import { explainDiskError } from "./record/diskerror.js";
import { type FileContent, hashStagedFiles } from "./record/filehashes.js";
import { setAsideHaltedRun } from "./record/haltedrun.js";
import { HashMemory } from "./record/hashmemory.js";
import type { Leftover } from "./record/leftovers.js";
import { removeLiveRun } from "./record/liverun.js";
import { RatesFile } from "./record/ratesfile.js";
import { openRunDirectory, type RunDirectory } from "./record/rundir.js";
import { describeFreshRun, findFreshRun, resolveRunPath } from "./record/runlock.js";
import { type RunSummary, summarize } from "./record/runsummary.js";
import { Rechecks } from "./results/rechecks.js";
import { createRunContext } from "./runcontext.js";
import type { RunOptions } from "./runoptions.js";
import { RunWatches } from "./runwatches.js";

/** The result of a run. `wasComplete`: it was complete before, so nothing was done. */
export interface RunOutcome {
  summary: RunSummary;
  wasComplete: boolean;
}

/**
 * Runs a job on nodes, or resumes it where its run directory exists. Rejects with a MusterError: OTHER_RUN, HELD, JOURNAL_DAMAGED
 * or RESULTS_DAMAGED where the run directory cannot be used, INVALID_FILE where it is not known which nodes are drained, NO_NODE where no
 * node may work on the job, and disk errors.
 */
export async function runJob(job: Job, nodes: Node[], options: RunOptions): Promise<RunOutcome> {
  readDrains(findDrainsFile(options.inventory), Date.now()); // a damaged file is told now, and not in the middle of the run
  const path = resolveRunPath(job, options.out, options.fresh);
  const contents = await hashStagedFiles(job, new HashMemory(path));
  const candidates = selectCandidates(job, nodes, contents, options.isSelected);
  const aside = options.adopt ? undefined : setAsideHaltedRun(path);
  if (aside !== undefined) options.observer.notice(`the halted run is now ${aside}; nothing was done in it`);
  const directory = await openRunDirectory(path, { job, contents, adopt: options.adopt });
  const dialer = new Dialer();
  try {
    noticeChanges(directory, options);
    const cleaning = createCleanupContext(job, directory, nodes, options);
    const opened = { job, directory, candidates, cleaning, dialer };
    const wasComplete = directory.isComplete;
    const summary = wasComplete ? await finishAgain(opened, options) : await perform(opened, contents, options);
    return { summary, wasComplete };
  } catch (error) {
    throw explainDiskError(directory.path, error, directory.results.path);
  } finally {
    await dialer.closeEngines();
    directory.close();
  }
}

/** A job whose run directory is open. */
interface OpenedRun {
  job: Job;
  directory: RunDirectory;
  candidates: Candidates;
  cleaning: CleanupContext;
  dialer: Dialer;
}

/** Cleans nodes and clusters that a complete run has left something on. */
async function finishAgain(opened: OpenedRun, options: RunOptions): Promise<RunSummary> {
  const { job, directory, candidates, cleaning, dialer } = opened;
  removeLiveRun(directory.path); // of a coordinator that was killed at its end
  const leftPilots = await endEarlierPilots(directory, options, dialer);
  const leftovers = await cleanCompletedRun(directory, cleaning, leftPilots);
  const counters = new RunCounters(job, directory.replay);
  const summary = summarize(directory.path, counters, [], candidates.leftOut, { state: "complete" });
  return { ...summary, ...publishedIn(directory), leftovers };
}

/** Computes what has no result yet. */
async function perform(
  opened: OpenedRun,
  contents: Map<string, FileContent>,
  options: RunOptions,
): Promise<RunSummary> {
  const { job, directory, candidates, cleaning, dialer } = opened;
  const { able, leftOut } = candidates;
  const observer = journalNotices(options.observer, directory);
  const clusters = selectUsedClusters(options.clusters ?? [], job.needs, options.isSelected, dialer, leftOut);
  if (able.length + clusters.length === 0) throw createExclusionError(candidates);
  const run = createRunContext(job, directory, { contents, dialer, verifyNode: options.verifyNode });
  const ratesFile = new RatesFile(options.ratesFile, job.work, (message) => observer.notice(message));
  const learnedRates = ratesFile.read();
  const rechecks = await Rechecks.open(job, directory);
  const coordinator = new Coordinator({ job, nodes: able, directory, run, observer, learnedRates, rechecks });
  const [names, addresses] = [able.map((node) => node.name), able.map(formatAddress)];
  directory.journal.add({ e: "nodes", nodes: names, inventory: options.inventory, addresses });
  await directory.journal.flush();
  const [cluster, ...others] = clusters;
  const watches = new RunWatches({ job, directory, coordinator, run, clusters, leftOut }, { ...options, observer });
  try {
    if (able.length === 0 && cluster !== undefined) coordinator.event(declareLifetime(job, [cluster, ...others]));
    const pilotsJoined = watches.start();
    const working = coordinator.work(options.stopSignal, options.stopEnd, pilotsJoined);
    const end = await ratesFile.saveDuring(working, () => coordinator.learned());
    await watches.stop(end);
    const plan = () => replan(opened, coordinator, learnedRates, options);
    return await finishRun({ job, directory, coordinator, pilots: watches.pilots, leftOut, cleaning, plan }, end);
  } finally {
    await watches.close();
  }
}

/** Plans the run as before its start, to compare it with; undefined where no plan could know what was to come. */
function replan(
  { job, directory, candidates }: OpenedRun,
  { workers }: Coordinator,
  learnedRates: LearnedRates,
  { isSelected }: RunOptions,
): RunPlan | undefined {
  // How long a queue takes depends on when its tasks arrive, and no plan knows when pilots start.
  const hadPilots = workers.some(({ node }) => node.allocation !== undefined);
  if (job.queue !== undefined || hadPilots) return undefined;
  return planJob(job, candidates.able, isSelected, learnedRates, directory.replay.committedUnits);
}

/** Ends the pilots that an earlier session of a complete run could not. Returns those that may still exist. */
async function endEarlierPilots(
  { replay, journal, formerIds, id }: RunDirectory,
  { clusters }: RunOptions,
  dialer: Dialer,
): Promise<Leftover[]> {
  const find = (_: string, name: string) => {
    const cluster = clusters?.find((one) => one.name === name);
    return cluster && dialer.engineOf(cluster);
  };
  const ends = await endOpenPilots(replay.pilots, [...formerIds, id], journal, find);
  return ends.flatMap(({ leftovers }) => leftovers);
}

/** Tells of a later run of the same job, and of project files that are not as they were. */
function noticeChanges(directory: RunDirectory, { out, fresh, observer }: RunOptions): void {
  const newer = out === undefined && !fresh ? findFreshRun(directory.path) : undefined;
  if (newer !== undefined) observer.notice(describeFreshRun(newer));
  if (directory.changedFiles.length > 0) observer.notice(describeChangedFiles(directory.changedFiles));
}

/** The most changed files of a project that a notice names. */
const MAX_NAMED_FILES = 5;

function describeChangedFiles(paths: readonly string[]): string {
  const named = paths.slice(0, MAX_NAMED_FILES).join(", ");
  const more = paths.length > MAX_NAMED_FILES ? ` and ${paths.length - MAX_NAMED_FILES} more` : "";
  return `project files changed since this run started: ${named}${more}. The run uses the original files. Use --fresh to start a new run with the changed files.`;
}
