import { existsSync } from "node:fs";
import { type AnyRunStatus, isPipelineRun, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { cancelPipeline } from "../executor/pipeline/cancelpipeline.js";
import { type CancelOptions, cancelRun } from "../executor/run/cancelrun.js";
import { findRuns } from "../executor/run/record/runstatus.js";
import { findInventory, type Inventory, matchesAnyPattern } from "../fleet/inventory.js";
import { formatCancelledPipeline, formatCancelledRun, formatStoppedNode } from "../report/canceltext.js";
import { pluralize } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import type { CommonOptions } from "./options.js";
import { requireRunDirectory } from "./rundirectory.js";

type RecordedNode = ReturnType<CancelOptions["findNodes"]>[number];

/**
 * `muster cancel [RUN]`: ends a run everywhere, whether its coordinator lives or not. What it has done is kept, and the command
 * that ran it goes on from there. Answers 0, or 3 where a node could not be reached or cleaned.
 */
export async function cancel(word: string | undefined, options: CommonOptions, writers: Writers): Promise<number> {
  const path = word === undefined ? findOnlyUnfinishedRun() : requireRunDirectory(word);
  const say = (text: string) => {
    if (!options.quiet && !options.json) writers.err(text);
  };
  const means: CancelOptions = {
    findNodes: (inventory, names) => findRecordedNodes(inventory, names, options),
    onCoordinatorStopping: (pid) => say(`muster process ${pid} is told to end`),
    onNodeCleaned: (one) => say(formatStoppedNode(one)),
  };
  const cancelled = isPipelineRun(path) ? await cancelPipeline(path, means) : await cancelRun(path, means);
  const nodes = "steps" in cancelled ? cancelled.steps.flatMap((step) => step.nodes) : cancelled.nodes;
  const failed = nodes.some((one) => one.state === "failed");
  if (options.json) writers.out(formatJson(cancelled, 2));
  else if (!options.quiet || failed)
    writers.out("steps" in cancelled ? formatCancelledPipeline(cancelled) : formatCancelledRun(cancelled));
  return failed ? 3 : 0;
}

/** Without a word: this folder where it is a run directory, else the one run under it that is not over, or left something on a node. */
function findOnlyUnfinishedRun(): string {
  const paths = findRuns(process.cwd());
  const isOpen = ({ state, leftovers }: AnyRunStatus) => state !== "complete" || leftovers !== undefined;
  const open = paths.filter((path) => isOpen(readAnyRunStatus(path, Date.now())));
  if (open.length === 1) return open[0]!;
  if (open.length === 0)
    throw new UsageError("cancel: no run here has yet to come to its end", "Name one: muster cancel RUN.");
  throw new UsageError(
    `cancel: there are ${pluralize(open.length, "unfinished run")} here; name one`,
    `For example muster cancel ${open[0]}.`,
  );
}

/** The nodes that have worked on the run, from the inventory that it was run with (or from that of `-i`), as far as --limit means them. */
function findRecordedNodes(inventory: string, names: Iterable<string>, options: CommonOptions): RecordedNode[] {
  const { nodes } = findRecordedInventory(inventory, options);
  const found = [...names].map((name) => ({ name, node: nodes.find((node) => node.name === name) }));
  const patterns = options.limit?.split(",").map((pattern) => pattern.trim());
  if (patterns === undefined) return found;
  return found.filter(({ node }) => node !== undefined && matchesAnyPattern(node, patterns));
}

function findRecordedInventory(recorded: string, options: CommonOptions): Inventory {
  if (options.inventory !== undefined) return findInventory(options.inventory, {}, process.cwd());
  if (recorded === "local" || existsSync(recorded)) return findInventory(recorded, {}, process.cwd());
  throw new MusterError("NO_INVENTORY", 65, `${recorded}, the inventory of this run, is not there any more`, {
    next: "Name another one with -i FILE.",
  });
}
