import { Dialer } from "../../fleet/connect.js";
import { formatAddress, type Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import { agentProgram } from "../../templates/nodeprograms.js";
import type { Job } from "../job/job.js";
import { planJob } from "../schedule/plan/planjob.js";
import { findNodeRefusal } from "../schedule/slots/nodeslots.js";
import { cleanCompletedRun, createCleanupContext } from "./cleanleftovers.js";
import { Coordinator } from "./coordinator.js";
import { finishRun } from "./finishrun.js";
import { hashStagedFiles, inputHashes } from "./node/filehashes.js";
import { RunCounters } from "./record/counters.js";
import { RatesFile } from "./record/ratesfile.js";
import { openRunDirectory } from "./record/rundir.js";
import { resolveRunPath } from "./record/runlock.js";
import { type ExcludedNode, type RunSummary, summarize } from "./record/runsummary.js";
import { explainDiskError } from "./results/diskspace.js";
import { Rechecks } from "./results/rechecks.js";
import type { RunObserver } from "./runobserver.js";
import type { VerifyNode } from "./verifynode.js";

export interface RunOptions {
  out: string | undefined;
  fresh: boolean;
  /** Stops what another copy of the run directory has on the nodes, and continues under a new run id. */
  adopt: boolean;
  /** What `-i` takes to find these nodes again: a file (absolute), or `local`. */
  inventory: string;
  /** Fires when the run should stop, leaving the nodes to go on with what they have. */
  stopSignal: AbortSignal;
  /** Whether a node is meant by names, tags and globs. */
  isSelected: (node: Node, patterns: readonly string[]) => boolean;
  observer: RunObserver;
  /** The file that keeps what was learned of how fast slots are; undefined = it is forgotten. */
  ratesFile: string | undefined;
  /** Looks at every node before its first chunk; undefined where the job needs no playbooks. */
  verifyNode: VerifyNode | undefined;
}

/** What a run came to; `already`: there was nothing left to do. */
export interface RunOutcome {
  summary: RunSummary;
  wasComplete: boolean;
}

/**
 * Runs a job on nodes, in its run directory, on from where an earlier run of it stopped. Rejects with a MusterError where
 * that is refused (OTHER_RUN, HELD, JOURNAL_DAMAGED, RESULTS_DAMAGED) or where no node may work on it (NO_NODE).
 */
export async function runJob(job: Job, nodes: Node[], options: RunOptions): Promise<RunOutcome> {
  const leftOut: ExcludedNode[] = [];
  const able = nodes.filter((node) => {
    const reason = findNodeRefusal(node, job.needs, options.isSelected);
    if (reason !== undefined) leftOut.push({ node: node.name, reason });
    return reason === undefined;
  });
  const contents = await hashStagedFiles(job);
  const directory = await openRunDirectory(resolveRunPath(job, options.out, options.fresh), {
    job,
    inputs: inputHashes(job, contents),
    adopt: options.adopt,
  });
  try {
    const cleaning = createCleanupContext(job, directory, nodes, options);
    if (directory.isComplete) {
      const leftovers = await cleanCompletedRun(directory, cleaning);
      const summary = summarize(directory.path, new RunCounters(job, directory.replay), [], leftOut, {
        state: "complete",
      });
      return { summary: { ...summary, leftovers }, wasComplete: true };
    }
    if (able.length === 0) throw createNoNodeError(leftOut);
    const run = {
      id: directory.id,
      name: job.name,
      formerIds: directory.formerIds,
      nonce: directory.nonce,
      nonces: directory.nonces,
      priority: job.priority,
      contents,
      agent: agentProgram(),
      needs: job.needs,
      verifyNode: options.verifyNode,
      dialer: new Dialer(),
    };
    const memory = new RatesFile(options.ratesFile, job.name, (message) => options.observer.notice(message));
    const learned = memory.read();
    const canary = await Rechecks.open(job, directory);
    const coordinator = new Coordinator(job, able, directory, run, options.observer, learned, canary);
    const [names, addresses] = [able.map((node) => node.name), able.map(formatAddress)];
    directory.journal.add({ e: "nodes", nodes: names, inventory: options.inventory, addresses });
    await directory.journal.flush();
    options.observer.runStarted(coordinator, directory.path, leftOut);
    const worked = await memory.saveDuring(coordinator.work(options.stopSignal), () => coordinator.learnedRates());
    const plan = () => planJob(job, able, options.isSelected, learned, directory.replay.committedUnits);
    const summary = await finishRun({ job, directory, coordinator, leftOut, cleaning, plan }, worked);
    return { summary, wasComplete: false };
  } catch (error) {
    throw explainDiskError(directory.path, error);
  } finally {
    directory.close();
  }
}

function createNoNodeError(leftOut: ExcludedNode[]): MusterError {
  const reasons = leftOut.map(({ node, reason }) => `\n    ${node}: ${reason}`).join("");
  return new MusterError("NO_NODE", 69, `no node of the inventory may run this job${reasons}`, {
    next: "Change the job's `needs`, --limit, or the inventory.",
  });
}
