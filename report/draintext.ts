import { type Drain, describeDrain } from "../fleet/drains.js";
import { toOneLine, toPrintableText } from "./format.js";

/** Returns a line for each drained node. */
export function formatDrainedNodes(nodes: readonly { name: string; drain?: Drain | undefined }[]): string {
  const lines = nodes.flatMap(({ name, drain }) =>
    drain === undefined ? [] : [toOneLine(`${name}: ${describeDrain(drain)}`)],
  );
  return toPrintableText(lines);
}
