import { describeIdleGpu } from "../executor/run/describeidlegpu.js";
import type { JournalEntry, NodeConnectionState } from "../executor/run/record/journalentry.js";
import { pluralize, toOneLine } from "./format.js";

/** Returns a line about the state of a node's connection. `reason`: why it is not live. */
export function formatNodeChange(node: string, state: NodeConnectionState, slots: number, reason?: string): string {
  if (state === "live") return `${node}: ${pluralize(slots, "slot")}`;
  return `${node}: ${state}: ${reason}`;
}

/**
 * Returns a line about what a run has journaled of a node, a slot, a healing or an idle GPU; undefined for other records. Printable only in
 * `toPrintableText`.
 */
export function formatNodeEntry(entry: JournalEntry): string | undefined {
  if (entry.e === "node")
    return toOneLine(formatNodeChange(entry.node, entry.state, entry.slots?.length ?? 0, entry.reason));
  if (entry.e === "heal") return toOneLine(`${entry.node}: ${entry.text}`);
  if (entry.e === "idle") return toOneLine(`${entry.node}: ${describeIdleGpu(entry.pci, entry.seconds, entry.chunk)}`);
  if (entry.e !== "slot") return undefined;
  const what = entry.out === undefined ? "is enabled again" : `is disabled: ${entry.out}`;
  return toOneLine(`${entry.node}: slot ${entry.slot} ${what}`);
}
