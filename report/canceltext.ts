import type { CancelledPipeline } from "../executor/pipeline/cancelpipeline.js";
import type { CancelledRun } from "../executor/run/cancelrun.js";
import type { NodeCleanResult } from "../executor/run/node/cleannode.js";
import { formatCount, pluralize, toPrintableText } from "./format.js";

/** What was done on one node, in a line. */
export function formatStoppedNode({ node, state, strays, reason }: NodeCleanResult): string {
  switch (state) {
    case "stopped":
      if (strays === undefined) return toPrintableText([`${node}: stopped, nothing is left`]);
      return toPrintableText([
        `${node}: stopped, nothing is left; its folder was gone, and ${formatCount(strays)} of its processes still ran`,
      ]);
    case "nothing":
      return toPrintableText([`${node}: nothing of it is there`]);
    case "failed":
      return toPrintableText([`${node}: not stopped: ${reason ?? ""}`]);
  }
}

/** What became of a run that was cancelled. */
export function formatCancelledRun({ name, state, chunks, dropped, nodes }: CancelledRun): string {
  const failed = nodes.filter((one) => one.state === "failed").map((one) => one.node);
  const how = state === "complete" ? "was complete" : "cancelled";
  if (failed.length > 0)
    return toPrintableText([
      `${name}: ${how}, but not on ${failed.join(", ")}: agents there end by themselves after their lease; cancel again when they can be reached`,
    ]);
  const lost = dropped === 0 ? "" : `${formatCount(dropped)} done but not collected yet, to be computed again; `;
  return toPrintableText([
    `${name}: ${how}; ${pluralize(chunks, "chunk")} done and kept, ${lost}nothing is left on ${pluralize(nodes.length, "node")}`,
  ]);
}

/** The same of a pipeline, with its jobs. */
export function formatCancelledPipeline({ name, state, steps }: CancelledPipeline): string {
  const head = `${name}: ${state === "complete" ? "was complete" : "cancelled"}`;
  return toPrintableText([head, ...steps.map((one) => `  ${one.step}: ${formatCancelledRun(one)}`)]);
}
