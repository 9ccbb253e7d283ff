import type { Node } from "../fleet/node.js";
import { formatDrainedNodes } from "../report/draintext.js";
import type { Writers } from "../report/writers.js";
import type { CommonOptions } from "./options.js";

/** Says which of these nodes are drained, for commands that use them all the same. */
export function announceDrains(nodes: readonly Node[], { quiet, json }: CommonOptions, writers: Writers): void {
  const text = formatDrainedNodes(nodes);
  if (text !== "" && !quiet && !json) writers.err(text);
}
