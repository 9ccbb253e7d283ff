import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { InFlightAttempt, InFlightAttempts } from "./inflight.js";
import { canSplitAgain } from "./stragglers.js";

/** Shares the work of a chunk: splits a part off, or resolves two attempts of the same chunk. */
export class Splitter {
  constructor(
    private readonly job: Job,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
  ) {}

  /** Drops the other attempt of a chunk that has a result. */
  supersede({ attempt }: InFlightAttempt): Instruction[] {
    this.attempts.release(attempt.id);
    return [{ do: "drop", node: attempt.node, id: attempt.id }];
  }

  /** Replaces the chunk of an attempt that now ends at `end`; the rest of its units is queued for other slots. */
  split(id: string, end: bigint | undefined, now: number, busy = false): Instruction[] {
    const inFlight = this.attempts.get(id);
    if (inFlight === undefined || inFlight.phase === "collecting" || inFlight.attempt.chunk.firstResult) return [];
    const { attempt, speculativeCopy } = inFlight;
    const { start, end: before } = attempt.chunk;
    if (inFlight.isSplitPending && !busy) inFlight.isDivisible = canSplitAgain(inFlight, end, now);
    inFlight.isSplitPending = false;
    if (end === undefined || end <= start || end >= before) return [];
    inFlight.attempt = { ...attempt, chunk: this.job.chunk(start, end) };
    this.retryQueue.add({ chunk: this.job.chunk(end, before), history: [], dueAt: now });
    return speculativeCopy === undefined ? [] : this.supersede(speculativeCopy);
  }
}
