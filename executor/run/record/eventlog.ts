import type { Failure } from "../../schedule/events.js";
import type { NodeWorker } from "../node/nodeworker.js";
import type { JournalEntry } from "./journalentry.js";
import type { RunDirectory } from "./rundir.js";

/** Bytes of records about one node and its slots: one that comes and goes without end fills no disk. */
const MAX_BYTES_PER_NODE = 1 << 20;
/** Characters of a reason that are kept: what a chunk said itself is in logs/. */
const MAX_REASON_CHARS = 300;

/**
 * Writes down what happens in a run beside its results, for reports. No run goes on from it, so it is on disk when the next result
 * is, and no sooner.
 */
export class EventLog {
  private readonly bytesByNode = new Map<string, number>();

  constructor(private readonly directory: Pick<RunDirectory, "journal" | "elapsedSeconds">) {}

  /** A node's state has changed. */
  recordNodeState({ node, state, slots, reason }: Pick<NodeWorker, "node" | "state" | "slots" | "reason">): void {
    const there = state === "live" ? slots.map((one) => one.slot) : undefined;
    const at = this.directory.elapsedSeconds();
    this.add(node.name, {
      e: "node",
      at,
      node: node.name,
      state,
      slots: there,
      reason: reason?.slice(0, MAX_REASON_CHARS),
    });
  }

  /** A slot gets no work, `out` being why; undefined: it gets some again. */
  recordSlotState(node: string, slot: number, out: string | undefined): void {
    this.add(node, {
      e: "slot",
      at: this.directory.elapsedSeconds(),
      node,
      slot,
      out: out?.slice(0, MAX_REASON_CHARS),
    });
  }

  private add(node: string, entry: Extract<JournalEntry, { e: "node" | "slot" }>): void {
    const bytes = (this.bytesByNode.get(node) ?? 0) + JSON.stringify(entry).length;
    this.bytesByNode.set(node, bytes);
    if (bytes <= MAX_BYTES_PER_NODE) this.directory.journal.add(entry);
  }

  /** An attempt failed; its chunk may be tried again. */
  recordFailedAttempt({ chunk, node, slot, attempt, reason }: Failure): void {
    const { journal, elapsedSeconds: elapsed } = this.directory;
    journal.add({ e: "tried", at: elapsed(), chunk, node, slot, attempt, reason: reason.slice(0, MAX_REASON_CHARS) });
  }
}
