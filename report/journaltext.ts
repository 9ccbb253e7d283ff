import type { JournalEntry, NodeConnectionState } from "../executor/run/record/journalentry.js";
import { pluralize } from "./format.js";

/** Returns a line about the state of a node's connection. `reason`: why it is not live. */
export function formatNodeChange(node: string, state: NodeConnectionState, slots: number, reason?: string): string {
  if (state === "live") return `${node}: ${pluralize(slots, "slot")}`;
  return `${node}: ${state}: ${reason}`;
}

/**
 * Returns what a user was told of a run, or of the connection of a node, by its record; undefined for other records. Printable only in
 * `toPrintableText`.
 */
export function formatNotice(entry: JournalEntry): string | undefined {
  if (entry.e === "node") return formatNodeChange(entry.node, entry.state, entry.slots?.length ?? 0, entry.reason);
  if (entry.e !== "notice") return undefined;
  return entry.node === undefined ? entry.text : `${entry.node}: ${entry.text}`;
}
