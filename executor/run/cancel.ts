import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Node } from "../../fleet/node.js";
import { writeEnd } from "./cleaning.js";
import { stoppingContext } from "./context.js";
import { cleanNode, type Stopped } from "./node/cleannode.js";
import { type Entry, readEntries } from "./record/journal.js";
import type { Leftover } from "./record/leftovers.js";
import { Past } from "./record/past.js";
import { takeOver } from "./record/takeover.js";

/** What became of a run that was to be ended; one that was complete stays so. */
export interface Cancelled {
  name: string;
  directory: string;
  state: "cancelled" | "complete";
  /** Chunks that are done, and kept. */
  chunks: number;
  /** Chunks that were done on a node and had not been collected: they are computed again when the run goes on. */
  dropped: number;
  nodes: Stopped[];
}

/** Where nodes are found again, and who is told. */
export interface CancelMeans {
  /** The nodes called `names` of what `-i` takes; those that are meant, `node` undefined where there is none of that name. */
  nodesOf(inventory: string, names: Iterable<string>): { name: string; node: Node | undefined }[];
  /** A coordinator is told to end. */
  ending(pid: number): void;
  stopped(one: Stopped): void;
}

/**
 * Ends the run in the directory `path`: its coordinator, where it lives, then all that it has on its nodes; and closes its
 * journal. Rejects as takeOver does.
 */
export async function cancelRun(path: string, means: CancelMeans): Promise<Cancelled> {
  const taken = await takeOver<Entry, Past>(path, () => new Past(), means.ending);
  try {
    const { past, journal } = taken;
    const { run, chunks, complete } = past;
    const finished = new Set<string>();
    const stopped = await stopAll(past, means, finished);
    const earlier = past.leftovers.list;
    const end = complete ? past.closed! : ({ state: "cancelled" } as const);
    if (!complete || earlier.length > 0) await writeEnd(path, journal, end, leftoversAfter(earlier, stopped));
    const dropped = uncommitted(path, finished);
    const state = complete ? "complete" : "cancelled";
    const nodes = stopped.map(({ inventory, ...one }) => one);
    return { name: run?.name ?? path, directory: path, state, chunks, dropped, nodes };
  } finally {
    taken.close();
  }
}

/** A node that was to be stopped, and what `-i` takes to find it. */
type Found = Stopped & { inventory: string };

/** Ends what the run has on all nodes that could ever be given work, side by side. */
async function stopAll(past: Past, means: CancelMeans, finished: Set<string>): Promise<Found[]> {
  const context = stoppingContext(past.run?.name ?? "", past.ids, past.nonces);
  const stop = async (inventory: string, name: string, node: Node | undefined) => {
    const one = node === undefined ? missing(name) : await cleanNode(node, context, finished);
    means.stopped(one);
    return { ...one, inventory };
  };
  const found = [...past.nodes].flatMap(([inventory, names]) =>
    means.nodesOf(inventory, names).map(({ name, node }) => stop(inventory, name, node)),
  );
  return Promise.all(found);
}

/** The nodes that may still hold something: those that were not stopped now, with the reason. */
function leftoversAfter(earlier: Leftover[], stopped: Found[]): Leftover[] {
  return earlier.flatMap((leftover) => {
    const one = stopped.find(({ node, inventory }) => node === leftover.node && inventory === leftover.inventory);
    if (one === undefined) return [leftover];
    return one.state === "failed" ? [{ ...leftover, reason: one.reason }] : [];
  });
}

/** How many of these chunks the journal does not have: a node may still hold what it has not been told to be safe. */
function uncommitted(path: string, chunks: Set<string>): number {
  const left = new Set(chunks);
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    if (left.size > 0) readEntries(fd, file, (entry) => entry.e === "done" && left.delete(entry.chunk));
  } finally {
    closeSync(fd);
  }
  return left.size;
}

function missing(node: string): Stopped {
  return { node, state: "failed", reason: "it is not in the inventory any more; name another one with -i FILE" };
}
