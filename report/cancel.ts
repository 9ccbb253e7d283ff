import type { CancelledPipeline } from "../executor/pipeline/cancel.js";
import type { Cancelled } from "../executor/run/cancel.js";
import type { Stopped } from "../executor/run/node/cleannode.js";
import { count, plural, textOf } from "./format.js";

/** What was done on one node, in a line. */
export function stoppedText({ node, state, strays, reason }: Stopped): string {
  switch (state) {
    case "stopped":
      if (strays === undefined) return textOf([`${node}: stopped, nothing is left`]);
      return textOf([
        `${node}: stopped, nothing is left; its folder was gone, and ${count(strays)} of its processes still ran`,
      ]);
    case "nothing":
      return textOf([`${node}: nothing of it is there`]);
    case "failed":
      return textOf([`${node}: not stopped: ${reason ?? ""}`]);
  }
}

/** What became of a run that was cancelled. */
export function cancelledText({ name, state, chunks, dropped, nodes }: Cancelled): string {
  const failed = nodes.filter((one) => one.state === "failed").map((one) => one.node);
  const how = state === "complete" ? "was complete" : "cancelled";
  if (failed.length > 0)
    return textOf([
      `${name}: ${how}, but not on ${failed.join(", ")}: agents there end by themselves after their lease; cancel again when they can be reached`,
    ]);
  const lost = dropped === 0 ? "" : `${count(dropped)} done but not collected yet, to be computed again; `;
  return textOf([
    `${name}: ${how}; ${plural(chunks, "chunk")} done and kept, ${lost}nothing is left on ${plural(nodes.length, "node")}`,
  ]);
}

/** The same of a pipeline, with its jobs. */
export function cancelledPipelineText({ name, state, steps }: CancelledPipeline): string {
  const head = `${name}: ${state === "complete" ? "was complete" : "cancelled"}`;
  return textOf([head, ...steps.map((one) => `  ${one.step}: ${cancelledText(one)}`)]);
}
