import { relative } from "node:path";
import { type AnyRunStatus, isPipelineRun, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { cancelPipeline } from "../executor/pipeline/cancelpipeline.js";
import { type CancelEvent, type CancelOptions, cancelRun } from "../executor/run/cancelrun.js";
import { cancelTasks } from "../executor/run/queue/addtasks.js";
import { openRunQueue } from "../executor/run/queue/findqueue.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { matchesAnyPattern } from "../fleet/inventory.js";
import { requireRunDirectory } from "../launch/findrun.js";
import {
  formatCancelledPipeline,
  formatCancelledRun,
  formatCollecting,
  formatStoppedNode,
} from "../report/canceltext.js";
import { pluralize } from "../report/format.js";
import { formatCancelledTasks } from "../report/queuetext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import type { CommonOptions } from "./options.js";
import { findRecordedCluster, findRecordedInventory } from "./recordedinventory.js";

/** The options of `muster cancel`. */
export interface CancelCommandOptions extends CommonOptions {
  /** Tasks of a queue to cancel, instead of the run. */
  task?: string[];
}

type RecordedNode = ReturnType<CancelOptions["findNodes"]>[number];

/**
 * `muster cancel [RUN]`: ends a run on all of its nodes, whether its coordinator is alive or not. Results are kept, those that nodes
 * still hold are collected first, and the same `run` command resumes it. Returns 0, or 3 where a node could not be reached or cleaned.
 */
export async function cancel(
  word: string | undefined,
  options: CancelCommandOptions,
  writers: Writers,
): Promise<number> {
  if (options.task !== undefined) return cancelQueuedTasks(word, options.task, options, writers);
  const path = word === undefined ? findOnlyUnfinishedRun() : requireRunDirectory(word);
  const print = (text: string) => {
    if (!options.quiet && !options.json) writers.err(text);
  };
  const cancelOptions: CancelOptions = {
    findNodes: (inventory, names) => findRecordedNodes(inventory, names, options),
    findCluster: (inventory, name) => findRecordedCluster(inventory, options.inventory, name),
    findInventory: (inventory) => findRecordedInventory(inventory, options.inventory),
    onEvent: (event) => print(describeCancelEvent(event)),
  };
  const cancelled = isPipelineRun(path)
    ? await cancelPipeline(path, cancelOptions)
    : await cancelRun(path, cancelOptions);
  const nodes = "steps" in cancelled ? cancelled.steps.flatMap((step) => step.nodes) : cancelled.nodes;
  const failed = nodes.some((one) => one.state === "failed");
  if (options.json) writers.out(formatJson(cancelled, 2));
  else if (!options.quiet || failed)
    writers.out("steps" in cancelled ? formatCancelledPipeline(cancelled) : formatCancelledRun(cancelled));
  return failed ? 3 : 0;
}

/** Cancels single tasks of a queue; the run goes on. */
async function cancelQueuedTasks(
  word: string | undefined,
  ids: readonly string[],
  options: CommonOptions,
  writers: Writers,
): Promise<number> {
  if (word === undefined) throw new UsageError("cancel: --task needs a run", "muster cancel RUN --task ID");
  const queue = await openRunQueue(requireRunDirectory(word));
  const result = { directory: queue.path, ...(await cancelTasks(queue, ids)) };
  if (options.json) writers.out(formatJson(result, 2));
  else if (!options.quiet) writers.out(formatCancelledTasks(result));
  return 0;
}

function describeCancelEvent(event: CancelEvent): string {
  switch (event.type) {
    case "coordinatorStopping":
      return `stopping muster process ${event.pid}`;
    case "collecting":
      return formatCollecting(event.node, event.count);
    case "notice":
      return event.message;
    case "nodeCleaned":
      return formatStoppedNode(event.result);
    default:
      return event satisfies never;
  }
}

/** Finds the run to cancel where none is named: this folder, or the only run below it that is unfinished or left data on a node. */
function findOnlyUnfinishedRun(): string {
  const paths = findRuns(process.cwd());
  const isUnfinished = ({ state, leftovers }: AnyRunStatus) =>
    (state !== "complete" && state !== "new") || leftovers !== undefined;
  const unfinished = paths.filter((path) => isUnfinished(readAnyRunStatus(path, Date.now())));
  if (unfinished.length === 1) return unfinished[0]!;
  if (unfinished.length === 0)
    throw new UsageError("cancel: there is no unfinished run here", "Name one: muster cancel RUN.");
  throw new UsageError(
    `cancel: there are ${pluralize(unfinished.length, "unfinished run")} here; name one`,
    `For example muster cancel ${relative(process.cwd(), unfinished[0]!)}.`,
  );
}

/** Returns the nodes of the run with these names that `--limit` selects, from the inventory of `-i` or else of the run. */
function findRecordedNodes(inventory: string, names: Iterable<string>, options: CommonOptions): RecordedNode[] {
  const { nodes } = findRecordedInventory(inventory, options.inventory);
  const recorded = [...names].map((name) => ({ name, node: nodes.find((node) => node.name === name) }));
  const patterns = options.limit?.split(",").map((pattern) => pattern.trim());
  if (patterns === undefined) return recorded;
  return recorded.filter(({ node }) => node !== undefined && matchesAnyPattern(node, patterns));
}
