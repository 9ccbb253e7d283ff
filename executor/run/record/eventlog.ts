import type { HealStep } from "../../../fleet/healing/healcontext.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import { AttemptTimes, type RunningAttempt } from "./attempttimes.js";
import type { JournalEntry, NodeConnectionState, StopReason } from "./journalentry.js";
import type { RunDirectory } from "./rundir.js";

/** Limits the entries about one node and its slots, so that a node that keeps disconnecting cannot fill the disk. */
const MAX_BYTES_PER_NODE = 1 << 20;
/** Limits a reason. Everything that a chunk printed is in logs/. */
const MAX_REASON_CHARS = 300;

/**
 * Writes into the journal what happens in a run apart from its results, for reports. No run is resumed from these entries, so they may
 * reach the disk with the next result; only what somebody who watches should see at once is flushed.
 */
export class EventLog {
  private readonly bytesByNode = new Map<string, number>();
  private readonly attemptTimes = new AttemptTimes();

  constructor(private readonly directory: Pick<RunDirectory, "journal" | "elapsedSeconds">) {}

  recordNodeState(worker: {
    node: { name: string; pricePerKwh?: number };
    state: NodeConnectionState;
    slots: { slot: number }[];
    reason: string | undefined;
  }): void {
    const { node, state, slots, reason } = worker;
    if (state === "away" || state === "refused" || state === "ended")
      this.recordStopped(this.attemptTimes.endAll(node.name), "requeued");
    this.add(node.name, {
      e: "node",
      at: this.directory.elapsedSeconds(),
      node: node.name,
      state,
      slots: state === "live" ? slots.map((one) => one.slot) : undefined,
      reason: reason?.slice(0, MAX_REASON_CHARS),
      price: state === "live" ? node.pricePerKwh : undefined,
    });
    if (state !== "live" && state !== "connecting") this.flushSoon();
  }

  /** Records that a slot is disabled, and why; or enabled again, if `reason` is undefined. */
  recordSlotState(node: string, slot: number, reason: string | undefined): void {
    const at = this.directory.elapsedSeconds();
    this.add(node, { e: "slot", at, node, slot, out: reason?.slice(0, MAX_REASON_CHARS) });
  }

  /** Notes that the program of an attempt was started. Nothing is journaled before its end. */
  noteStarted(attempt: Attempt): void {
    this.attemptTimes.start(attempt, this.directory.elapsedSeconds());
  }

  /** Notes the end of an attempt. One that was cancelled or lost has no other record, unless its chunk was stopped. */
  noteEnded({ id, node, slot }: Attempt, done: DoneMessage): void {
    const running = this.attemptTimes.endOnSlot(node, slot, (attempt) => attempt.id === id);
    if (running === undefined || done.stopped || !(done.cancelled || done.lost)) return;
    if (done.preempted === undefined) return this.recordStopped([running], "requeued");
    this.recordStopped([running], "preempted", done.preempted.run.slice(0, MAX_REASON_CHARS));
    this.flushSoon();
  }

  /** Records that the result of an attempt is not needed, and returns the seconds that it ran. Nothing is recorded for one that does not run. */
  recordUnneeded(node: string, id: string, why: "superseded" | "cancelled"): number {
    const running = this.attemptTimes.endById(node, id);
    if (running === undefined) return 0;
    this.recordStopped([running], why);
    return toMilliseconds(this.directory.elapsedSeconds() - running.since);
  }

  /** Records an attempt that ran for `seconds` and whose result was discarded. */
  recordDiscarded(attempt: Attempt, seconds: number, why: StopReason): void {
    this.recordStopped([{ attempt, since: this.directory.elapsedSeconds() - seconds }], why);
  }

  /** Records the attempts that run when the session ends. */
  recordSessionEnd(): void {
    this.recordStopped(this.attemptTimes.endAll(), "session ended");
  }

  recordFailedAttempt(failure: Failure): void {
    const { chunk, node, slot, attempt, reason } = failure;
    const at = this.directory.elapsedSeconds();
    const isMeant = (one: Attempt) => one.chunk.id === chunk && one.number === attempt;
    const running = this.attemptTimes.endOnSlot(node, slot, isMeant);
    const seconds = failure.seconds ?? (running && toMilliseconds(at - running.since));
    const short = reason.slice(0, MAX_REASON_CHARS);
    this.directory.journal.add({ e: "tried", at, chunk, node, slot, attempt, reason: short, seconds });
    this.flushSoon();
  }

  /** Records that a chunk will not be tried again. */
  recordFailedChunk(failure: Failure): void {
    this.directory.journal.add({ e: "failed", failure });
    this.flushSoon();
  }

  /** Records that a GPU has computed nothing for `seconds` in an attempt that goes on. */
  recordIdleGpu({ chunk, node, slot, number }: Attempt, pci: string, seconds: number): void {
    const at = this.directory.elapsedSeconds();
    this.add(node, { e: "idle", at, chunk: chunk.id, node, slot, attempt: number, pci, seconds });
    this.flushSoon();
  }

  /** Records an attempt that was cancelled or evicted and whose logs are kept; `lostLog` says why an attempt has none. */
  recordLog(chunk: string, attempt: number, lostLog?: string): void {
    const at = this.directory.elapsedSeconds();
    this.directory.journal.add({ e: "log", at, chunk, attempt, lostLog: lostLog?.slice(0, MAX_REASON_CHARS) });
  }

  /** Records that a task of a queue, the units [start, end), is cancelled. */
  recordCancelledTask(chunk: string, start: bigint, end: bigint): void {
    this.directory.journal.add({ e: "cancelled", chunk, start: `${start}`, end: `${end}` });
    this.flushSoon();
  }

  recordHealStep({ node, step, text }: HealStep): void {
    const at = this.directory.elapsedSeconds();
    this.add(node, { e: "heal", at, node, step, text: text.slice(0, MAX_REASON_CHARS) });
  }

  recordProgram(node: string, path: string, sha256: string): void {
    this.add(node, { e: "program", at: this.directory.elapsedSeconds(), node, path, sha256 });
  }

  /** `by`: the run that preempted them. */
  private recordStopped(stopped: RunningAttempt[], why: StopReason, by?: string): void {
    const at = this.directory.elapsedSeconds();
    for (const { attempt, since } of stopped) {
      const { chunk, node, slot, number } = attempt;
      const seconds = toMilliseconds(at - since);
      this.add(node, { e: "stopped", at, chunk: chunk.id, node, slot, attempt: number, seconds, why, by });
    }
  }

  /** The next result may be hours away, and people ask meanwhile. A disk that fails makes the next commit fail, too. */
  private flushSoon(): void {
    void this.directory.journal.flush().catch(() => {});
  }

  private add(
    node: string,
    entry: Extract<JournalEntry, { e: "node" | "slot" | "heal" | "program" | "stopped" | "idle" }>,
  ): void {
    const bytes = (this.bytesByNode.get(node) ?? 0) + JSON.stringify(entry).length;
    this.bytesByNode.set(node, bytes);
    if (bytes <= MAX_BYTES_PER_NODE) this.directory.journal.add(entry);
  }
}

/** Rounds seconds to milliseconds, so that records stay short. */
function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
