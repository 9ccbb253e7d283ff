import { basename } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import type { Node } from "../../fleet/node.js";
import type { Cluster } from "../../fleet/slurm/cluster.js";
import { recordRunEnd } from "./cleanleftovers.js";
import { cleanNode, type NodeCleanResult } from "./node/cleannode.js";
import type { AttemptKeeper } from "./node/heldresults.js";
import { cancelPilots } from "./pilots/cancelpilots.js";
import { createLeftPilot, isLeftPilot } from "./pilots/leftpilot.js";
import { countQueue } from "./queue/queuecounts.js";
import type { JournalEntry } from "./record/journalentry.js";
import type { Leftover } from "./record/leftovers.js";
import { removeLiveRun } from "./record/liverun.js";
import { RunReplay, replayRun } from "./record/replay.js";
import { takeOverRunLock } from "./record/runlock.js";
import { countInSummary } from "./record/runsummary.js";
import { createStopContext, type RunContext } from "./runcontext.js";
import { UncollectedResults } from "./uncollectedresults.js";

/** The result of cancelling a run; a complete run stays complete, and one that has not begun stays new. */
export interface CancelledRun {
  name: string;
  directory: string;
  state: "cancelled" | "complete" | "new";
  /** Of a run that has not begun: the tasks that its queue has. */
  queued?: number;
  /** Number of committed chunks; their results are kept. `collected`: those of them that finished on a node and were committed now. */
  chunks: number;
  collected: number;
  /** Number of chunks that had finished on a node and could not be collected; they are computed again when the run is resumed. */
  dropped: number;
  /** Why chunks could not be collected, where some were not. */
  uncollected?: string;
  nodes: NodeCleanResult[];
}

/** What happens while a run is cancelled. */
export type CancelEvent =
  /** SIGTERM was sent to the coordinator's process. */
  | { type: "coordinatorStopping"; pid: number }
  /** The results that a node still holds are collected: of `count` attempts. */
  | { type: "collecting"; node: string; count: number }
  /** Something that a person should know. */
  | { type: "notice"; message: string }
  | { type: "nodeCleaned"; result: NodeCleanResult };

export interface CancelOptions {
  /** Finds the selected ones of these nodes in an inventory (a value of `-i`). `node`: undefined where it has no node of that name. */
  findNodes(inventory: string, names: Iterable<string>): { name: string; node: Node | undefined }[];
  /** Finds a cluster in an inventory (a value of `-i`); undefined where it has none of that name. */
  findCluster(inventory: string, name: string): Cluster | undefined;
  /** Returns the inventory (a value of `-i`) that the run used. */
  findInventory(inventory: string): Inventory;
  onEvent(event: CancelEvent): void;
}

/**
 * Cancels the run in the directory `path`: stops its coordinator where that is alive, commits the results that nodes still hold, removes
 * the run from its nodes, and closes its journal. Nothing is done to a run that has not begun. Rejects as takeOverRunLock does.
 */
export async function cancelRun(path: string, options: CancelOptions): Promise<CancelledRun> {
  const replay = new RunReplay();
  const apply = (entry: JournalEntry) => replay.apply(entry);
  const journal = await takeOverRunLock(path, apply, (pid) => options.onEvent({ type: "coordinatorStopping", pid }));
  try {
    const { header: run, committedChunks: before, isComplete: complete } = replay;
    if (run === undefined && replay.lastOpen === undefined) return describeNewRun(path);
    const uncollected = new UncollectedResults(path, journal, replay, options);
    const context = createStopContext(replay.header?.name ?? "", replay.ids, replay.nonces);
    const [machines, pilots] = await Promise.all([
      cleanAllNodes(replay, context, options, uncollected),
      cancelPilots([...replay.pilots], context, journal, options.findCluster, uncollected),
    ]);
    for (const { inventory: _, ...result } of pilots) options.onEvent({ type: "nodeCleaned", result });
    const stopped = [...machines, ...pilots];
    const { committedChunks: collected, committedUnits, failure } = await uncollected.close();
    const chunks = before + collected;
    const earlier = replay.leftovers;
    const end = complete ? replay.closeEntry! : ({ state: "cancelled" } as const);
    const left = [
      ...remainingLeftovers(
        earlier.filter((one) => !isLeftPilot(one)),
        machines,
      ),
      ...listLeftPilots(pilots),
    ];
    if (!complete || earlier.length + pilots.length > 0) await recordRunEnd(path, journal, end, left);
    if (collected > 0) countInSummary(path, chunks, replay.committedUnits.size() + committedUnits);
    removeLiveRun(path);
    const dropped = countUncommitted(path, uncollected.chunks);
    const state = complete ? "complete" : "cancelled";
    const nodes = stopped.map(({ inventory, ...one }) => one);
    return {
      name: run?.name ?? path,
      directory: path,
      state,
      chunks,
      collected,
      dropped,
      ...(dropped > 0 && failure !== undefined ? { uncollected: failure } : {}),
      nodes,
    };
  } finally {
    journal.close();
  }
}

function describeNewRun(path: string): CancelledRun {
  const { accepted = 0n, cancelled = 0n } = countQueue(path) ?? {};
  const queued = Number(accepted - cancelled);
  return {
    name: basename(path),
    directory: path,
    state: "new",
    queued,
    chunks: 0,
    collected: 0,
    dropped: 0,
    nodes: [],
  };
}

/** The result for one node, and the inventory that has the node. */
type CancelledNode = NodeCleanResult & { inventory: string };

/** Removes the run in parallel from all nodes that could ever get work of it. */
async function cleanAllNodes(
  replay: RunReplay,
  context: RunContext,
  options: CancelOptions,
  keeper: AttemptKeeper,
): Promise<CancelledNode[]> {
  const stop = async (inventory: string, name: string, node: Node | undefined) => {
    const result = node === undefined ? createMissingNodeResult(name) : await cleanNode(node, context, keeper);
    options.onEvent({ type: "nodeCleaned", result });
    return { ...result, inventory };
  };
  const found = [...replay.nodes].flatMap(([inventory, names]) =>
    options.findNodes(inventory, names).map(({ name, node }) => stop(inventory, name, node)),
  );
  return Promise.all(found);
}

/** Returns the nodes that may still hold something of the run, with the reason. */
function remainingLeftovers(earlier: Leftover[], stopped: CancelledNode[]): Leftover[] {
  return earlier.flatMap((leftover) => {
    const one = stopped.find(({ node, inventory }) => node === leftover.node && inventory === leftover.inventory);
    if (one === undefined) return [leftover];
    return one.state === "failed" ? [{ ...leftover, reason: one.reason }] : [];
  });
}

/** Returns the pilots that may still exist, with the reason. */
function listLeftPilots(pilots: CancelledNode[]): Leftover[] {
  return pilots.flatMap((one): Leftover[] =>
    one.state === "failed" ? [createLeftPilot(one.node, one.inventory, one.reason)] : [],
  );
}

/** Counts those of `chunks` that the journal does not have as committed: a node keeps a result until its acknowledgement arrives. */
function countUncommitted(path: string, chunks: ReadonlySet<string>): number {
  const uncommitted = new Set(chunks);
  if (uncommitted.size > 0) replayRun(path, (entry) => entry.e === "done" && uncommitted.delete(entry.chunk));
  return uncommitted.size;
}

function createMissingNodeResult(node: string): NodeCleanResult {
  return { node, state: "failed", reason: "it is not in the inventory any more; name another one with -i FILE" };
}
