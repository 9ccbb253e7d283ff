import { join } from "node:path";
import { Dialer } from "../../fleet/connect.js";
import { drainsFilePath, readDrains } from "../../fleet/drains.js";
import { formatAddress, type Node } from "../../fleet/node.js";
import type { Cluster } from "../../fleet/slurm/cluster.js";
import { MusterError } from "../../schemas/errors.js";
import { agentProgram } from "../../templates/nodeprograms.js";
import type { Job } from "../job/job.js";
import { planJob } from "../schedule/plan/planjob.js";
import { findNodeRefusal } from "../schedule/slots/nodeslots.js";
import type { Asker } from "./ask/asker.js";
import { createAsker } from "./ask/createasker.js";
import { createLiveSource } from "./buildliverun.js";
import { countStagedBytes, createCacheError, findCacheRefusal } from "./cachebudget.js";
import { cleanCompletedRun, createCleanupContext } from "./cleanleftovers.js";
import { Coordinator } from "./coordinator.js";
import { declareLifetime } from "./declarelifetime.js";
import { DrainWatch } from "./drainwatch.js";
import { finishRun, publishedIn } from "./finishrun.js";
import { HealWatch } from "./healwatch.js";
import { SharedPacks } from "./node/sharedpacks.js";
import { SyntaxCheck } from "./node/syntaxcheck.js";
import { endOpenPilots } from "./pilots/endopenpilots.js";
import { PilotRecords } from "./pilots/pilotrecords.js";
import { PilotWatch } from "./pilots/pilotwatch.js";
import { selectUsedClusters } from "./pilots/usedcluster.js";
import { PreemptedChunks } from "./preemptedchunks.js";
import { QueueWatch } from "./queue/queuewatch.js";
import { RunCounters } from "./record/counters.js";
import { explainDiskError } from "./record/diskerror.js";
import { hashStagedFiles } from "./record/filehashes.js";
import { setAsideHaltedRun } from "./record/haltedrun.js";
import { HashMemory } from "./record/hashmemory.js";
import { KeptStates } from "./record/keptstates.js";
import type { Leftover } from "./record/leftovers.js";
import { LiveFile, removeLiveRun } from "./record/liverun.js";
import { RatesFile } from "./record/ratesfile.js";
import { openRunDirectory, type RunDirectory } from "./record/rundir.js";
import { describeFreshRun, findFreshRun, resolveRunPath } from "./record/runlock.js";
import { type ExcludedNode, type RunSummary, summarize } from "./record/runsummary.js";
import { Rechecks } from "./results/rechecks.js";
import type { RunEnd } from "./runend.js";
import type { RunHealing } from "./runhealing.js";
import type { RunObserver } from "./runobserver.js";
import type { VerifyNode } from "./verifynode.js";

export interface RunOptions {
  out: string | undefined;
  fresh: boolean;
  /** Stop the agents of another copy of the run directory, and continue under a new run id. */
  adopt: boolean;
  /** The value of `-i` that finds these nodes again: an absolute path, or "local". */
  inventory: string;
  /** Fires when the run should be stopped. */
  stopSignal: AbortSignal;
  /** How the run ends then. Default: it is interrupted, and the agents keep running. */
  stopEnd?: RunEnd;
  /** The clusters that may give it further nodes; undefined = none. */
  clusters?: readonly Cluster[];
  /** Whether names, tags and globs select a node. */
  isSelected: (node: Node, patterns: readonly string[]) => boolean;
  observer: RunObserver;
  /** The file that keeps learned rates for later runs; undefined = they are not kept. */
  ratesFile: string | undefined;
  /** Verifies every node before its first chunk; undefined where the job needs no playbooks. */
  verifyNode: VerifyNode | undefined;
  /** Heals nodes; undefined where the inventory does not ask for it. */
  healing: RunHealing | undefined;
}

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
  const drainsFile = drainsFilePath(findInventoryFile(options.inventory));
  readDrains(drainsFile, Date.now()); // a damaged one is told now, and not in the middle of the run
  const path = resolveRunPath(job, options.out, options.fresh);
  const contents = await hashStagedFiles(job, new HashMemory(path));
  const stagedBytes = countStagedBytes(job, contents);
  const leftOut: ExcludedNode[] = [];
  const able = nodes.filter((node) => {
    const reason = findNodeRefusal(node, job.needs, options.isSelected) ?? findCacheRefusal(node, stagedBytes);
    if (reason !== undefined) leftOut.push({ node: node.name, reason });
    return reason === undefined;
  });
  const aside = options.adopt ? undefined : setAsideHaltedRun(path);
  if (aside !== undefined) options.observer.notice(`the halted run is now ${aside}; nothing was done in it`);
  const directory = await openRunDirectory(path, {
    job,
    contents,
    adopt: options.adopt,
  });
  let live: LiveFile | undefined;
  let queue: QueueWatch | undefined;
  let asker: Asker | undefined;
  let drains: DrainWatch | undefined;
  let healing: HealWatch | undefined;
  let pilots: PilotWatch | undefined;
  const dialer = new Dialer();
  try {
    const newer = options.out === undefined && !options.fresh ? findFreshRun(directory.path) : undefined;
    if (newer !== undefined) options.observer.notice(describeFreshRun(newer));
    if (directory.changedFiles.length > 0) options.observer.notice(describeChangedFiles(directory.changedFiles));
    const cleaning = createCleanupContext(job, directory, nodes, options);
    if (directory.isComplete) {
      removeLiveRun(directory.path); // of a coordinator that was killed at its end
      const leftPilots = await endEarlierPilots(directory, options, dialer);
      const leftovers = await cleanCompletedRun(directory, cleaning, leftPilots);
      const summary = summarize(directory.path, new RunCounters(job, directory.replay), [], leftOut, {
        state: "complete",
      });
      return { summary: { ...summary, ...publishedIn(directory), leftovers }, wasComplete: true };
    }
    const clusters = selectUsedClusters(options.clusters ?? [], job.needs, options.isSelected, dialer, leftOut);
    if (able.length + clusters.length === 0) throw createExclusionError(nodes, leftOut, stagedBytes);
    const run = {
      id: directory.id,
      name: job.name,
      formerIds: directory.formerIds,
      nonce: directory.nonce,
      nonces: directory.nonces,
      priority: job.priority,
      contents,
      snapshot: directory.snapshot,
      directory: job.directory,
      build: job.build,
      logs: join(directory.path, "logs"),
      states: new KeptStates(join(directory.path, "state"), contents),
      preempted: new PreemptedChunks(),
      agent: agentProgram(),
      outputs: {
        named: job.mostOutputs ?? 0,
        found: job.findsOutputs === true,
        state: job.keepsState === true,
        inlineBytes: 0,
      },
      needs: job.needs,
      pythonEnv: job.pythonEnv,
      verifyNode: options.verifyNode,
      ...(isUnproven(directory) ? { syntaxCheck: new SyntaxCheck(job) } : {}),
      packs: new SharedPacks(),
      dialer,
    };
    const { observer } = options;
    const ratesFile = new RatesFile(options.ratesFile, job.work, (message) => observer.notice(message));
    const learnedRates = ratesFile.read();
    const rechecks = await Rechecks.open(job, directory);
    const coordinator = new Coordinator({ job, nodes: able, directory, run, observer, learnedRates, rechecks });
    const [names, addresses] = [able.map((node) => node.name), able.map(formatAddress)];
    directory.journal.add({ e: "nodes", nodes: names, inventory: options.inventory, addresses });
    await directory.journal.flush();
    const runIds = [...directory.formerIds, directory.id];
    const records = new PilotRecords(directory.journal, options.inventory);
    pilots = new PilotWatch(clusters, coordinator, runIds, records, options.inventory, observer, (node, error) => {
      observer.notice(`${error.message}. ${error.next ?? ""}`);
      leftOut.push({ node, reason: error.reason });
    });
    const [cluster, ...others] = clusters;
    if (able.length === 0 && cluster !== undefined) coordinator.event(declareLifetime(job, [cluster, ...others]));
    live = new LiveFile(directory.path, createLiveSource(coordinator, pilots));
    observer.runStarted(live, directory.path, leftOut);
    if (directory.queue !== undefined) {
      const { follower, changes } = directory.queue;
      queue = new QueueWatch({ path: directory.path, job }, follower, coordinator, directory.replay, {
        notice: (message) => observer.notice(message),
        isAwaited: () => asker?.isAwaited ?? false,
      });
      queue.start(changes);
    }
    asker = createAsker(job, directory, coordinator, (message) => observer.notice(message));
    asker?.start();
    drains = new DrainWatch(drainsFile, coordinator, observer);
    drains.start();
    healing = new HealWatch(options.healing, coordinator, run, observer);
    healing.start();
    const working = coordinator.work(options.stopSignal, options.stopEnd, pilots.start(directory.replay.pilots));
    const end = await ratesFile.saveDuring(working, () => coordinator.learned());
    await pilots.stop();
    queue?.stop();
    drains.stop();
    await asker?.stop(end.state === "complete" || end.state === "partial");
    await healing.stop();
    const { committedUnits } = directory.replay;
    // How long a queue takes depends on when its tasks arrive, and no plan knows when pilots start.
    const hadPilots = coordinator.workers.some(({ node }) => node.allocation !== undefined);
    const plan = () =>
      job.queue === undefined && !hadPilots
        ? planJob(job, able, options.isSelected, learnedRates, committedUnits)
        : undefined;
    const summary = await finishRun({ job, directory, coordinator, pilots, leftOut, cleaning, plan }, end);
    return { summary, wasComplete: false };
  } catch (error) {
    throw explainDiskError(directory.path, error, directory.results.path);
  } finally {
    queue?.stop();
    await asker?.stop(false);
    drains?.stop();
    await healing?.stop();
    await pilots?.stop();
    await dialer.closeEngines();
    live?.close();
    directory.close();
  }
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

/** Returns the file that a value of `-i` names; undefined for this machine alone. */
function findInventoryFile(inventory: string): string | undefined {
  return inventory === "local" ? undefined : inventory;
}

/** Whether no chunk has succeeded, so that its programs may be at fault. Only the files that the run keeps would be checked. */
function isUnproven({ replay, changedFiles }: RunDirectory): boolean {
  return replay.committedChunks === 0 && changedFiles.length === 0;
}

/** The most changed files of a project that a notice names. */
const MAX_NAMED_FILES = 5;

function describeChangedFiles(paths: readonly string[]): string {
  const named = paths.slice(0, MAX_NAMED_FILES).join(", ");
  const more = paths.length > MAX_NAMED_FILES ? ` and ${paths.length - MAX_NAMED_FILES} more` : "";
  return `project files changed since this run started: ${named}${more}. The run uses the original files. Use --fresh to start a new run with the changed files.`;
}

/** Creates the error for a job that no node may run. `leftOut`: every node, with the reason. */
function createExclusionError(nodes: Node[], leftOut: ExcludedNode[], stagedBytes: number): MusterError {
  const isTooLarge = nodes.every((node) => findCacheRefusal(node, stagedBytes) !== undefined);
  return isTooLarge && nodes.length > 0 ? createCacheError(leftOut) : createNoNodeError(leftOut);
}

function createNoNodeError(leftOut: ExcludedNode[]): MusterError {
  const reasons = leftOut.map(({ node, reason }) => `\n    ${node}: ${reason}`).join("");
  return new MusterError("NO_NODE", `no node of the inventory may run this job${reasons}`, {
    next: "Change the job's `needs`, --limit, or the inventory.",
  });
}
