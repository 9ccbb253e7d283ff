import type { Job } from "../../job/job.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import type { RecheckDifference } from "./journalentry.js";
import type { RunReplay } from "./replay.js";

/** Failed chunks that are named in the summary; the journal has all of them. */
const MAX_LISTED_FAILURES = 100;

export interface NodeCounters {
  chunks: number;
  units: bigint;
  failedAttempts: number;
  /** Slots that were taken out, why, and whether they are back. */
  disabledSlots: Map<number, { reason: string; back: boolean; reboot?: true }>;
}

/** Counts of a run, so far. Their size does not grow with its length. */
export class RunCounters {
  /** Chunks committed, in all sessions and in this one. */
  chunks: number;
  sessionChunks = 0;
  units: bigint;
  /** Attempts started in this session. */
  attempts = 0;
  failed = 0;
  /** Results of superseded attempts that were not taken. */
  dropped = 0;
  /** Attempts whose logs grew too long and were cut. */
  cutLogs = 0;
  /** Chunks that were computed again, those that could not be, and those whose results differ; in all sessions but `unchecked`. */
  rechecked: number;
  skippedRechecks = 0;
  readonly recheckDifferences: RecheckDifference[];
  readonly failures: Failure[] = [];
  readonly nodes = new Map<string, NodeCounters>();
  readonly began = performance.now();
  /** Which coordinator of the run this is, from 1. */
  readonly session: number;

  constructor(
    readonly job: Job,
    past: RunReplay,
    /** Hears of slots that get no work, `out` being why, and of those that get some again. */
    private readonly onSlotChange: (node: string, slot: number, out: string | undefined) => void = () => {},
  ) {
    this.session = past.nextSession;
    this.chunks = past.committedChunks;
    this.units = past.committedUnits.size();
    this.rechecked = past.recheckedChunks.size;
    this.recheckDifferences = [...past.recheckDifferences];
  }

  /** Seconds since this session began. */
  get seconds(): number {
    return (performance.now() - this.began) / 1000;
  }

  countStarted(): void {
    this.attempts++;
  }

  countCommitted(attempt: Attempt): void {
    const units = attempt.chunk.end - attempt.chunk.start;
    this.chunks++;
    this.sessionChunks++;
    this.units += units;
    const node = this.forNode(attempt.node);
    node.chunks++;
    node.units += units;
  }

  /** What an attempt printed is here. */
  countLogs({ stdout, stderr }: DoneMessage): void {
    if ((stdout.cut ?? 0) + (stderr.cut ?? 0) > 0) this.cutLogs++;
  }

  countFailedAttempt({ node }: Pick<Attempt, "node">): void {
    this.forNode(node).failedAttempts++;
  }

  disableSlot(node: string, slot: number, reason: string): void {
    this.forNode(node).disabledSlots.set(slot, { reason, back: false });
    this.onSlotChange(node, slot, reason);
  }

  enableSlot(node: string, slot: number): void {
    const out = this.forNode(node).disabledSlots.get(slot);
    if (out === undefined) return;
    out.back = true;
    this.onSlotChange(node, slot, undefined);
  }

  /** Notes that a slot stays sick; false where that is noted already. */
  markNeedsReboot(node: string, slot: number): boolean {
    const out = this.forNode(node).disabledSlots.get(slot);
    if (out === undefined || out.reboot) return false;
    out.reboot = true;
    return true;
  }

  countRecheck(differing: RecheckDifference | undefined): void {
    this.rechecked++;
    if (differing !== undefined) this.recheckDifferences.push(differing);
  }

  /** Whether nothing failed and no two results differ. */
  get isFullySuccessful(): boolean {
    return this.failed === 0 && this.recheckDifferences.length === 0;
  }

  countFailedChunk(failure: Failure): void {
    this.failed++;
    if (this.failures.length < MAX_LISTED_FAILURES) this.failures.push(failure);
  }

  forNode(node: string): NodeCounters {
    let tally = this.nodes.get(node);
    if (tally === undefined) {
      tally = { chunks: 0, units: 0n, failedAttempts: 0, disabledSlots: new Map() };
      this.nodes.set(node, tally);
    }
    return tally;
  }
}
