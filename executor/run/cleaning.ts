import { setTimeout as sleep } from "node:timers/promises";
import { addressOf, type Node } from "../../fleet/node.js";
import type { Job } from "../job/job.js";
import { type RunContext, stoppingContext } from "./context.js";
import { type Ended, keepsNodes } from "./ended.js";
import { cleanNode } from "./node/cleannode.js";
import type { Member } from "./node/member.js";
import type { Observer } from "./observer.js";
import type { Journal } from "./record/journal.js";
import { isPlaceOf, type Leftover } from "./record/leftovers.js";
import type { CloseEntry } from "./record/past.js";
import type { RunDirectory } from "./record/rundir.js";
import { amendSummary } from "./record/summary.js";

/** For a node to be reached and cleaned when nothing else is to be done there. */
const CLEAN_SECONDS = 10;

/** The members that an earlier session may have left something on are told so. */
export function recallLeftovers(members: Member[], earlier: Leftover[]): void {
  for (const member of members) {
    const leftover = earlier.find((one) => isPlaceOf(one, member.node));
    if (leftover !== undefined) member.remains.ofEarlier(leftover.reason);
  }
}

/** What nodes are cleaned with. */
export interface Cleaning {
  /** The nodes that may have held something of the run before this session. */
  earlier: Leftover[];
  /** Those that may be contacted, of which `inventory` tells. */
  nodes: Node[];
  inventory: string;
  run: RunContext;
  /** Is told what was cleaned. */
  say: (message: string) => void;
}

/** What the nodes of a run are cleaned with. Agents are told only nonces that are in its journal. */
export function cleaningOf(
  job: Pick<Job, "name">,
  { past, formerIds, id, nonces, isComplete }: RunDirectory,
  nodes: Node[],
  { inventory, observer }: { inventory: string; observer: Pick<Observer, "note"> },
): Cleaning {
  const run = stoppingContext(job.name, [...formerIds, id], isComplete ? past.nonces : nonces);
  return { earlier: past.leftovers.list, nodes, inventory, run, say: (message) => observer.note(message) };
}

/**
 * Resolves with all nodes that may hold something of the run, once its members have been left: those that nobody has tried to
 * clean, since they were refused or had no part in this session, are cleaned now where the run has come to its end.
 */
export async function cleanAfter(members: Member[], ended: Ended, cleaning: Cleaning): Promise<Leftover[]> {
  const leftovers = leftoversAfter(members, cleaning);
  if (keepsNodes(ended)) return leftovers;
  const open = leftovers.filter((one) => isUntried(one, members));
  const remaining = await cleanLeftovers(open, cleaning);
  return [...leftovers.filter((one) => !open.includes(one)), ...remaining];
}

/** Cleans what may still be on nodes of a run that is complete, and writes down what that came to. Resolves with what remains. */
export async function cleanComplete({ path, journal, past }: RunDirectory, cleaning: Cleaning): Promise<Leftover[]> {
  const { earlier, nodes, say } = cleaning;
  if (earlier.length === 0) return [];
  const names = earlier.filter((one) => nodes.some((node) => isPlaceOf(one, node))).map(({ node }) => node);
  if (names.length > 0)
    say(`cleaning ${names.join(", ")}, which may still hold work of this run (for at most ${CLEAN_SECONDS} s)`);
  const leftovers = await cleanLeftovers(earlier, cleaning);
  await writeEnd(path, journal, past.closed!, leftovers);
  return leftovers;
}

/** Writes down how a run ended, again where it was over, with the nodes that may hold something of it now. */
export async function writeEnd(
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
export async function cleanLeftovers(leftovers: Leftover[], { nodes, run, say }: Cleaning): Promise<Leftover[]> {
  const remaining = await Promise.all(
    leftovers.map(async (leftover) => {
      const node = nodes.find((one) => isPlaceOf(leftover, one));
      if (node === undefined) return leftover;
      const reason = await cleanInTime(node, run);
      if (reason !== undefined) return { ...leftover, reason };
      say(`${node.name}: cleaned; nothing of an earlier session of this run is left there`);
      return undefined;
    }),
  );
  return remaining.filter((one) => one !== undefined);
}

function leftoversAfter(members: Member[], { earlier, inventory }: Cleaning): Leftover[] {
  return [
    ...earlier.filter((one) => members.every(({ node }) => !isPlaceOf(one, node))),
    ...members
      .filter(({ remains }) => remains.areLikely)
      .map(({ node, remains: { reason } }) => ({ node: node.name, inventory, address: addressOf(node), reason })),
  ];
}

function isUntried(leftover: Leftover, members: Member[]): boolean {
  const member = members.find(({ node }) => isPlaceOf(leftover, node));
  return member === undefined || member.isReachable;
}

/** Why the node could not be cleaned. */
async function cleanInTime(node: Node, run: RunContext): Promise<string | undefined> {
  const timer = new AbortController();
  const late = sleep(CLEAN_SECONDS * 1000, `it was not reached within ${CLEAN_SECONDS} s`, { signal: timer.signal });
  const cleaned = cleanNode(node, run, new Set()).then(({ reason }) => reason);
  const reason = await Promise.race([cleaned, late]);
  late.catch(() => {});
  timer.abort();
  return reason;
}
