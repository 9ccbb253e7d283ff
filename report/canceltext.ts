import type { CancelledPipeline } from "../executor/pipeline/cancelpipeline.js";
import type { CancelledRun } from "../executor/run/cancelrun.js";
import type { NodeCleanResult } from "../executor/run/node/cleannode.js";
import { formatCount, pluralize, toPrintableText } from "./format.js";

/** Returns a line that says what is collected from a node before the run is stopped there. */
export function formatCollecting(node: string, count: number): string {
  return toPrintableText([`${node}: collecting ${pluralize(count, "chunk")} that ended there`]);
}

/** Returns a line that says what was done on a node. */
export function formatStoppedNode(stopped: NodeCleanResult): string {
  return toPrintableText([`${stopped.node}: ${describeStopped(stopped)}`]);
}

function describeStopped(result: NodeCleanResult): string {
  switch (result.state) {
    case "stopped":
      if (result.strays === undefined) return "stopped, nothing is left";
      return `stopped, nothing is left; its folder was missing, but processes of it were still running: ${formatCount(result.strays)}`;
    case "nothing":
      return "holds nothing of this run";
    case "failed":
      return `not stopped: ${result.reason}`;
    default:
      return result satisfies never;
  }
}

/** Returns the result of cancelling the run of a job. */
export function formatCancelledRun(run: CancelledRun): string {
  const { name, state, nodes } = run;
  if (state === "new") return toPrintableText([formatNewRun(run)]);
  const failed = nodes.filter((one) => one.state === "failed").map((one) => one.node);
  const how = state === "complete" ? "was complete" : "cancelled";
  if (failed.length > 0)
    return toPrintableText([
      `${name}: ${how}, but not on ${failed.join(", ")}: agents there exit when their lease expires; cancel again when the nodes can be reached`,
    ]);
  const where = nodes.length === 0 ? "" : ` on ${pluralize(nodes.length, "node")}`;
  return toPrintableText([`${name}: ${how}; ${describeKept(run)}${describeDropped(run)}nothing is left${where}`]);
}

function formatNewRun({ name, directory, queued = 0 }: CancelledRun): string {
  const waiting =
    queued === 0
      ? ""
      : `; ${pluralize(queued, "task")} still queued for it: cancel them with --task ID, or remove ${directory}`;
  return `${name}: the run has not begun, so there is nothing to stop${waiting}`;
}

function describeKept({ chunks, collected }: CancelledRun): string {
  const now = collected === 0 ? "" : ` (${formatCount(collected)} of them collected now)`;
  return `${pluralize(chunks, "chunk")} done and kept${now}, `;
}

function describeDropped({ dropped, uncollected }: CancelledRun): string {
  if (dropped === 0) return "";
  const reason = uncollected === undefined ? "" : ` (${uncollected})`;
  return `${formatCount(dropped)} done but not collected${reason}, which will be computed again; `;
}

/** Returns the result of cancelling a pipeline and its jobs. */
export function formatCancelledPipeline({ name, state, steps }: CancelledPipeline): string {
  const head = `${name}: ${state === "complete" ? "was complete" : "cancelled"}`;
  return toPrintableText([head, ...steps.map((one) => `  ${one.step}: ${formatCancelledRun(one)}`)]);
}
