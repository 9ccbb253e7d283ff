import type { Job } from "../../job/job.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import { FailureGroups } from "../../schedule/halting/failuregroups.js";
import type { DoneMessage } from "../agent/protocol.js";
import { type ChunkOutcomes, countOutcomes } from "./chunkoutcomes.js";
import type { RecheckDifference } from "./journalentry.js";
import type { RunReplay } from "./replay.js";
import { UsageSums, type UsedResult } from "./usagesums.js";

/** How many failed chunks the summary lists; the journal has all of them. */
const MAX_LISTED_FAILURES = 100;

export interface NodeCounters {
  chunks: number;
  units: bigint;
  failedAttempts: number;
  /** How often the node was healed, and how often that failed. */
  healings: { healed: number; failed: number };
  /** Slots that were disabled, why, and whether they are enabled again. */
  disabledSlots: Map<number, { reason: string; back: boolean; reboot?: true }>;
}

/** What a run has done so far. The size of this does not grow with the number of chunks. */
export class RunCounters {
  /** Committed chunks of all sessions; `sessionChunks`: of this one. */
  chunks: number;
  sessionChunks = 0;
  /** Those of `chunks` that were stopped on request. */
  stopped: number;
  units: bigint;
  /** Attempts started in this session. */
  attempts = 0;
  failed = 0;
  failedUnits = 0n;
  /** Tasks of a queue that were cancelled, in all sessions. */
  cancelled: bigint;
  /** Tasks of an `ask` program that were refused in this session. */
  refusedTasks = 0;
  /** Results of superseded attempts that were not taken. */
  dropped = 0;
  /** The seconds that superseded attempts ran. */
  discardedSeconds = 0;
  /** Attempts whose logs were cut because they grew too long. */
  cutLogs = 0;
  /** Rechecked chunks of all sessions; `skippedRechecks`: of this session. */
  rechecked: number;
  skippedRechecks = 0;
  readonly recheckDifferences: RecheckDifference[];
  readonly failures: Failure[] = [];
  readonly failureGroups = new FailureGroups();
  /** What to do about failures and outputs of this session. */
  readonly hints: string[] = [];
  private hasNotANumber = false;
  readonly nodes = new Map<string, NodeCounters>();
  /** What GPUs used for the results of this session. */
  readonly usage = new UsageSums();
  readonly began = performance.now();
  /** The number of this session, from 1. */
  readonly session: number;

  constructor(
    readonly job: Job,
    replay: RunReplay,
    /** Called when a slot is disabled, with the reason, or enabled again, without one. */
    private readonly onSlotChange: (node: string, slot: number, out: string | undefined) => void = () => {},
  ) {
    this.session = replay.nextSession;
    this.chunks = replay.committedChunks;
    this.stopped = replay.stoppedChunks;
    this.units = replay.committedUnits.size();
    this.cancelled = replay.cancelledUnits.size();
    this.rechecked = replay.recheckedChunks.size;
    this.recheckDifferences = [...replay.recheckDifferences];
  }

  /** Notes an output with a number that JSON does not have. Only the first one is reported. */
  noteNotANumber(hint: string): void {
    if (!this.hasNotANumber) this.hints.push(hint);
    this.hasNotANumber = true;
  }

  /** Seconds since this session began. */
  get seconds(): number {
    return (performance.now() - this.began) / 1000;
  }

  countStarted(): void {
    this.attempts++;
  }

  /** The chunks of all sessions by outcome. */
  get outcomes(): ChunkOutcomes {
    const { chunks: committed, failed, stopped, cancelled } = this;
    return countOutcomes({ committed, failed, stopped, cancelled });
  }

  countCommitted({ attempt, isStopped }: { attempt: Attempt; isStopped: boolean }): void {
    if (isStopped) this.stopped++;
    const units = attempt.chunk.end - attempt.chunk.start;
    this.chunks++;
    this.sessionChunks++;
    this.units += units;
    const node = this.forNode(attempt.node);
    node.chunks++;
    node.units += units;
  }

  /** Counts what GPUs used for a result that is kept. */
  countUsage({ attempt, ...rest }: Omit<UsedResult, "node" | "units"> & { attempt: Attempt }): void {
    const { node, chunk } = attempt;
    this.usage.add({ ...rest, node, units: chunk.end - chunk.start });
  }

  /** Counts an attempt whose logs were collected. */
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

  countHealing(node: string, outcome: "healed" | "failed"): void {
    this.forNode(node).healings[outcome]++;
  }

  /** Marks a disabled slot as one that needs a reboot. Returns false if it is marked already. */
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

  /** Whether no chunk failed and no recheck found a difference. */
  get isFullySuccessful(): boolean {
    return this.failed === 0 && this.recheckDifferences.length === 0;
  }

  /** Counts a cancelled task, which is no unit of the job any more. */
  countCancelled(): void {
    this.cancelled++;
    this.job.queue?.setCancelled(this.cancelled);
  }

  countFailedChunk(failure: Failure): void {
    this.failed++;
    this.failureGroups.add(failure);
    const [start, end] = this.job.unitsOf(failure.chunk) ?? [0n, 0n];
    this.failedUnits += end - start;
    if (this.failures.length < MAX_LISTED_FAILURES) this.failures.push(failure);
  }

  addHint(hint: string): void {
    this.hints.push(hint);
  }

  forNode(node: string): NodeCounters {
    let counts = this.nodes.get(node);
    if (counts === undefined) {
      counts = {
        chunks: 0,
        units: 0n,
        failedAttempts: 0,
        healings: { healed: 0, failed: 0 },
        disabledSlots: new Map(),
      };
      this.nodes.set(node, counts);
    }
    return counts;
  }
}
