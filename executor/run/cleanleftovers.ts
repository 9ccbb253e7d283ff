import { setTimeout as sleep } from "node:timers/promises";
import { formatAddress, type Node } from "../../fleet/node.js";
import type { Job } from "../job/job.js";
import { cleanNode } from "./node/cleannode.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { Journal } from "./record/journal.js";
import type { CloseEntry } from "./record/journalentry.js";
import { isSameNode, type Leftover } from "./record/leftovers.js";
import type { RunDirectory } from "./record/rundir.js";
import { amendSummary } from "./record/runsummary.js";
import { createStopContext, type RunContext } from "./runcontext.js";
import { leavesAgentsRunning, type RunEnd } from "./runend.js";
import type { RunObserver } from "./runobserver.js";

/** For a node to be reached and cleaned when nothing else is to be done there. */
const CLEAN_NODE_TIMEOUT_SECONDS = 10;

/** The members that an earlier session may have left something on are told so. */
export function markEarlierLeftovers(members: NodeWorker[], earlier: Leftover[]): void {
  for (const member of members) {
    const leftover = earlier.find((one) => isSameNode(one, member.node));
    if (leftover !== undefined) member.cleanup.markEarlierSession(leftover.reason);
  }
}

/** What nodes are cleaned with. */
export interface CleanupContext {
  /** The nodes that may have held something of the run before this session. */
  earlierLeftovers: Leftover[];
  /** Those that may be contacted, of which `inventory` tells. */
  nodes: Node[];
  inventory: string;
  run: RunContext;
  /** Is told what was cleaned. */
  onCleaned: (message: string) => void;
}

/** What the nodes of a run are cleaned with. Agents are told only nonces that are in its journal. */
export function createCleanupContext(
  job: Pick<Job, "name">,
  { replay: past, formerIds, id, nonces, isComplete }: RunDirectory,
  nodes: Node[],
  { inventory, observer }: { inventory: string; observer: Pick<RunObserver, "notice"> },
): CleanupContext {
  const run = createStopContext(job.name, [...formerIds, id], isComplete ? past.nonces : nonces);
  return {
    earlierLeftovers: past.leftovers,
    nodes,
    inventory,
    run,
    onCleaned: (message) => observer.notice(message),
  };
}

/**
 * Resolves with all nodes that may hold something of the run, once its members have been left: those that nobody has tried to
 * clean, since they were refused or had no part in this session, are cleaned now where the run has come to its end.
 */
export async function cleanAfterRun(
  members: NodeWorker[],
  ended: RunEnd,
  cleaning: CleanupContext,
): Promise<Leftover[]> {
  const leftovers = listLeftovers(members, cleaning);
  if (leavesAgentsRunning(ended)) return leftovers;
  const open = leftovers.filter((one) => isCleanableNow(one, members));
  const remaining = await cleanLeftovers(open, cleaning);
  return [...leftovers.filter((one) => !open.includes(one)), ...remaining];
}

/** Cleans what may still be on nodes of a run that is complete, and writes down what that came to. Resolves with what remains. */
export async function cleanCompletedRun(
  { path, journal, replay: past }: RunDirectory,
  cleaning: CleanupContext,
): Promise<Leftover[]> {
  const { earlierLeftovers: earlier, nodes, onCleaned: say } = cleaning;
  if (earlier.length === 0) return [];
  const names = earlier.filter((one) => nodes.some((node) => isSameNode(one, node))).map(({ node }) => node);
  if (names.length > 0)
    say(
      `cleaning ${names.join(", ")}, which may still hold work of this run (for at most ${CLEAN_NODE_TIMEOUT_SECONDS} s)`,
    );
  const leftovers = await cleanLeftovers(earlier, cleaning);
  await recordRunEnd(path, journal, past.closeEntry!, leftovers);
  return leftovers;
}

/** Writes down how a run ended, again where it was over, with the nodes that may hold something of it now. */
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
 * Cleans those of `leftovers` that are on one of the nodes, side by side, each within CLEAN_SECONDS. Resolves with those that
 * remain, and why.
 */
export async function cleanLeftovers(
  leftovers: Leftover[],
  { nodes, run, onCleaned: say }: CleanupContext,
): Promise<Leftover[]> {
  const remaining = await Promise.all(
    leftovers.map(async (leftover) => {
      const node = nodes.find((one) => isSameNode(leftover, one));
      if (node === undefined) return leftover;
      const reason = await cleanWithTimeout(node, run);
      if (reason !== undefined) return { ...leftover, reason };
      say(`${node.name}: cleaned; nothing of an earlier session of this run is left there`);
      return undefined;
    }),
  );
  return remaining.filter((one) => one !== undefined);
}

function listLeftovers(members: NodeWorker[], { earlierLeftovers: earlier, inventory }: CleanupContext): Leftover[] {
  return [
    ...earlier.filter((one) => members.every(({ node }) => !isSameNode(one, node))),
    ...members
      .filter(({ cleanup: remains }) => remains.mayHaveLeftovers)
      .map(({ node, cleanup: { reason } }) => ({ node: node.name, inventory, address: formatAddress(node), reason })),
  ];
}

function isCleanableNow(leftover: Leftover, members: NodeWorker[]): boolean {
  const member = members.find(({ node }) => isSameNode(leftover, node));
  return member === undefined || member.isReachable;
}

/** Why the node could not be cleaned. */
async function cleanWithTimeout(node: Node, run: RunContext): Promise<string | undefined> {
  const timer = new AbortController();
  const late = sleep(CLEAN_NODE_TIMEOUT_SECONDS * 1000, `it was not reached within ${CLEAN_NODE_TIMEOUT_SECONDS} s`, {
    signal: timer.signal,
  });
  const cleaned = cleanNode(node, run, new Set()).then(({ reason }) => reason);
  const reason = await Promise.race([cleaned, late]);
  late.catch(() => {});
  timer.abort();
  return reason;
}
