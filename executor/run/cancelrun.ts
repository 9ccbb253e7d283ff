import type { Node } from "../../fleet/node.js";
import { recordRunEnd } from "./cleanleftovers.js";
import { cleanNode, type NodeCleanResult } from "./node/cleannode.js";
import type { JournalEntry } from "./record/journalentry.js";
import type { Leftover } from "./record/leftovers.js";
import { RunReplay, replayRun } from "./record/replay.js";
import { takeOverRunLock } from "./record/runlock.js";
import { createStopContext } from "./runcontext.js";

/** What became of a run that was to be ended; one that was complete stays so. */
export interface CancelledRun {
  name: string;
  directory: string;
  state: "cancelled" | "complete";
  /** Chunks that are done, and kept. */
  chunks: number;
  /** Chunks that were done on a node and had not been collected: they are computed again when the run goes on. */
  dropped: number;
  nodes: NodeCleanResult[];
}

/** Where nodes are found again, and who is told. */
export interface CancelOptions {
  /** The nodes called `names` of what `-i` takes; those that are meant, `node` undefined where there is none of that name. */
  findNodes(inventory: string, names: Iterable<string>): { name: string; node: Node | undefined }[];
  /** A coordinator is told to end. */
  onCoordinatorStopping(pid: number): void;
  onNodeCleaned(one: NodeCleanResult): void;
}

/**
 * Ends the run in the directory `path`: its coordinator, where it lives, then all that it has on its nodes; and closes its
 * journal. Rejects as takeOverRunLock does.
 */
export async function cancelRun(path: string, means: CancelOptions): Promise<CancelledRun> {
  const past = new RunReplay();
  const apply = (entry: JournalEntry) => past.apply(entry);
  const journal = await takeOverRunLock(path, apply, means.onCoordinatorStopping);
  try {
    const { header: run, committedChunks: chunks, isComplete: complete } = past;
    const finished = new Set<string>();
    const stopped = await cleanAllNodes(past, means, finished);
    const earlier = past.leftovers;
    const end = complete ? past.closeEntry! : ({ state: "cancelled" } as const);
    if (!complete || earlier.length > 0) await recordRunEnd(path, journal, end, remainingLeftovers(earlier, stopped));
    const dropped = countUncommitted(path, finished);
    const state = complete ? "complete" : "cancelled";
    const nodes = stopped.map(({ inventory, ...one }) => one);
    return { name: run?.name ?? path, directory: path, state, chunks, dropped, nodes };
  } finally {
    journal.close();
  }
}

/** A node that was to be stopped, and what `-i` takes to find it. */
type CancelledNode = NodeCleanResult & { inventory: string };

/** Ends what the run has on all nodes that could ever be given work, side by side. */
async function cleanAllNodes(past: RunReplay, means: CancelOptions, finished: Set<string>): Promise<CancelledNode[]> {
  const context = createStopContext(past.header?.name ?? "", past.ids, past.nonces);
  const stop = async (inventory: string, name: string, node: Node | undefined) => {
    const one = node === undefined ? createMissingNodeResult(name) : await cleanNode(node, context, finished);
    means.onNodeCleaned(one);
    return { ...one, inventory };
  };
  const found = [...past.nodes].flatMap(([inventory, names]) =>
    means.findNodes(inventory, names).map(({ name, node }) => stop(inventory, name, node)),
  );
  return Promise.all(found);
}

/** The nodes that may still hold something: those that were not stopped now, with the reason. */
function remainingLeftovers(earlier: Leftover[], stopped: CancelledNode[]): Leftover[] {
  return earlier.flatMap((leftover) => {
    const one = stopped.find(({ node, inventory }) => node === leftover.node && inventory === leftover.inventory);
    if (one === undefined) return [leftover];
    return one.state === "failed" ? [{ ...leftover, reason: one.reason }] : [];
  });
}

/** Counts those of `chunks` that the journal does not have as committed: a node keeps a result until its acknowledgement arrives. */
function countUncommitted(path: string, chunks: Set<string>): number {
  const uncommitted = new Set(chunks);
  if (uncommitted.size > 0) replayRun(path, (entry) => entry.e === "done" && uncommitted.delete(entry.chunk));
  return uncommitted.size;
}

function createMissingNodeResult(node: string): NodeCleanResult {
  return { node, state: "failed", reason: "it is not in the inventory any more; name another one with -i FILE" };
}
