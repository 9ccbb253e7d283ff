import type { Failure } from "../../schedule/events.js";
import type { JournalEntry, NodeConnectionState } from "./journalentry.js";
import type { RunDirectory } from "./rundir.js";

/** Limits the entries about one node and its slots, so that a node that keeps disconnecting cannot fill the disk. */
const MAX_BYTES_PER_NODE = 1 << 20;
/** Limits a reason. Everything that a chunk printed is in logs/. */
const MAX_REASON_CHARS = 300;

/**
 * Writes into the journal what happens in a run apart from its results, for reports. No run is resumed from these entries, so they are
 * not flushed: they reach the disk with the next result.
 */
export class EventLog {
  private readonly bytesByNode = new Map<string, number>();

  constructor(private readonly directory: Pick<RunDirectory, "journal" | "elapsedSeconds">) {}

  recordNodeState(worker: {
    node: { name: string };
    state: NodeConnectionState;
    slots: { slot: number }[];
    reason: string | undefined;
  }): void {
    const { node, state, slots, reason } = worker;
    this.add(node.name, {
      e: "node",
      at: this.directory.elapsedSeconds(),
      node: node.name,
      state,
      slots: state === "live" ? slots.map((one) => one.slot) : undefined,
      reason: reason?.slice(0, MAX_REASON_CHARS),
    });
  }

  /** Records that a slot is disabled, and why; or enabled again, if `reason` is undefined. */
  recordSlotState(node: string, slot: number, reason: string | undefined): void {
    const at = this.directory.elapsedSeconds();
    this.add(node, { e: "slot", at, node, slot, out: reason?.slice(0, MAX_REASON_CHARS) });
  }

  recordFailedAttempt({ chunk, node, slot, attempt, reason }: Failure): void {
    const at = this.directory.elapsedSeconds();
    const short = reason.slice(0, MAX_REASON_CHARS);
    this.directory.journal.add({ e: "tried", at, chunk, node, slot, attempt, reason: short });
  }

  /** Records an attempt that was cancelled or evicted and whose logs are kept; `lostLog` says why an attempt has none. */
  recordStopped(chunk: string, attempt: number, lostLog?: string): void {
    const at = this.directory.elapsedSeconds();
    this.directory.journal.add({ e: "stopped", at, chunk, attempt, lostLog: lostLog?.slice(0, MAX_REASON_CHARS) });
  }

  recordProgram(node: string, path: string, sha256: string): void {
    this.add(node, { e: "program", at: this.directory.elapsedSeconds(), node, path, sha256 });
  }

  private add(node: string, entry: Extract<JournalEntry, { e: "node" | "slot" | "program" }>): void {
    const bytes = (this.bytesByNode.get(node) ?? 0) + JSON.stringify(entry).length;
    this.bytesByNode.set(node, bytes);
    if (bytes <= MAX_BYTES_PER_NODE) this.directory.journal.add(entry);
  }
}
