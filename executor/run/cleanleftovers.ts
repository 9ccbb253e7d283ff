import { formatAddress, type Node } from "../../fleet/node.js";
import { resolveWithin } from "../../fleet/rejectonabort.js";
import type { Job } from "../job/job.js";
import { cleanNode, type NodeCleanResult } from "./node/cleannode.js";
import type { NodeWorker } from "./node/nodeworker.js";
import { isReachable } from "./node/reconnectpolicy.js";
import { isLeftPilot } from "./pilots/leftpilot.js";
import type { Journal } from "./record/journal.js";
import type { CloseEntry } from "./record/journalentry.js";
import { isSameNode, type Leftover } from "./record/leftovers.js";
import type { RunDirectory } from "./record/rundir.js";
import { amendSummary } from "./record/runsummary.js";
import { createStopContext, type RunContext } from "./runcontext.js";
import { leavesAgentsRunning, type RunEnd } from "./runend.js";
import type { RunObserver } from "./runobserver.js";

/** How long a node may take to be reached and cleaned when the run needs it for nothing else. */
const CLEAN_NODE_TIMEOUT_SECONDS = 10;

/** Marks the workers on whose nodes an earlier session may have left something. */
export function markEarlierLeftovers(workers: NodeWorker[], earlier: Leftover[]): void {
  for (const worker of workers) {
    const leftover = earlier.find((one) => isSameNode(one, worker.node));
    if (leftover !== undefined) worker.cleanup.markEarlierSession(leftover.reason);
  }
}

/** What is needed to clean the nodes of a run. */
export interface CleanupContext {
  /** The nodes that may have held something of the run when this session began. */
  earlierLeftovers: Leftover[];
  /** The nodes that may be contacted; they come from `inventory`. */
  nodes: Node[];
  inventory: string;
  run: RunContext;
  /** Called with a message about each node that is to be cleaned or was cleaned. */
  onCleaned: (message: string) => void;
}

/** Creates the context for cleaning the nodes of a run. Agents are sent only nonces that are in the run's journal. */
export function createCleanupContext(
  job: Pick<Job, "name">,
  { replay, formerIds, id, nonces, isComplete }: RunDirectory,
  nodes: Node[],
  { inventory, observer }: { inventory: string; observer: Pick<RunObserver, "notice"> },
): CleanupContext {
  const run = createStopContext(job.name, [...formerIds, id], isComplete ? replay.nonces : nonces);
  return {
    earlierLeftovers: replay.leftovers.filter((one) => !isLeftPilot(one)),
    nodes,
    inventory,
    run,
    onCleaned: (message) => observer.notice(message),
  };
}

/**
 * Cleans the nodes that no worker has cleaned, because they were refused or took no part in this session; does nothing where the
 * run is to be resumed. Call it when all workers have stopped. Returns every node that may still hold something of the run.
 */
export async function cleanAfterRun(workers: NodeWorker[], end: RunEnd, context: CleanupContext): Promise<Leftover[]> {
  const leftovers = listLeftovers(workers, context);
  if (leavesAgentsRunning(end)) return leftovers;
  const cleanable = leftovers.filter((one) => isCleanableNow(one, workers));
  const remaining = await cleanLeftovers(cleanable, context);
  return [...leftovers.filter((one) => !cleanable.includes(one)), ...remaining];
}

/**
 * Cleans the nodes of a completed run and records the result. `leftPilots`: those of its pilots that may still exist. Returns the nodes that may
 * still hold something.
 */
export async function cleanCompletedRun(
  { path, journal, replay }: RunDirectory,
  context: CleanupContext,
  leftPilots: readonly Leftover[],
): Promise<Leftover[]> {
  const { earlierLeftovers: earlier, nodes, onCleaned } = context;
  if (replay.leftovers.length === 0) return [];
  const names = earlier.filter((one) => nodes.some((node) => isSameNode(one, node))).map(({ node }) => node);
  if (names.length > 0)
    onCleaned(
      `cleaning ${names.join(", ")}, which may still hold work of this run (for at most ${CLEAN_NODE_TIMEOUT_SECONDS} s)`,
    );
  const leftovers = [...(await cleanLeftovers(earlier, context)), ...leftPilots];
  await recordRunEnd(path, journal, replay.closeEntry!, leftovers);
  return leftovers;
}

/** Records in the summary and the journal how a run ended and which nodes may still hold something; may be called repeatedly. */
export async function recordRunEnd(
  path: string,
  journal: Journal,
  { state, at }: Pick<CloseEntry, "state" | "at">,
  leftovers: Leftover[],
): Promise<void> {
  amendSummary(path, { state, leftovers });
  journal.add({ e: "close", state, at, leftovers });
  await journal.flush();
}

/**
 * Cleans in parallel the leftovers that are on a node of the context, each within CLEAN_NODE_TIMEOUT_SECONDS. Returns those that
 * remain, each with the reason.
 */
export async function cleanLeftovers(
  leftovers: Leftover[],
  { nodes, run, onCleaned }: CleanupContext,
): Promise<Leftover[]> {
  const remaining = await Promise.all(
    leftovers.map(async (leftover) => {
      const node = nodes.find((one) => isSameNode(leftover, one));
      if (node === undefined) return leftover;
      const result = await cleanWithTimeout(node, run);
      if (result.state === "failed") return { ...leftover, reason: result.reason };
      onCleaned(`${node.name}: cleaned; nothing of an earlier session of this run is left there`);
      return undefined;
    }),
  );
  return remaining.filter((one) => one !== undefined);
}

function listLeftovers(workers: NodeWorker[], { earlierLeftovers, inventory }: CleanupContext): Leftover[] {
  return [
    ...earlierLeftovers.filter((one) => workers.every(({ node }) => !isSameNode(one, node))),
    ...workers
      .filter(({ cleanup, node }) => cleanup.mayHaveLeftovers && node.allocation === undefined)
      .map(({ node, cleanup: { reason } }) => ({ node: node.name, inventory, address: formatAddress(node), reason })),
  ];
}

function isCleanableNow(leftover: Leftover, workers: NodeWorker[]): boolean {
  const worker = workers.find(({ node }) => isSameNode(leftover, node));
  return worker === undefined || isReachable(worker);
}

/** Cleans a node as `cleanNode` does; a node that takes longer than CLEAN_NODE_TIMEOUT_SECONDS counts as failed. */
async function cleanWithTimeout(node: Node, run: RunContext): Promise<NodeCleanResult> {
  const result = await resolveWithin(cleanNode(node, run), CLEAN_NODE_TIMEOUT_SECONDS * 1000);
  if (result !== undefined) return result;
  const reason = `it was not reached within ${CLEAN_NODE_TIMEOUT_SECONDS} s`;
  return { node: node.name, state: "failed", reason };
}
