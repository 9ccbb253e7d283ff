import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { Rates } from "../rates/rates.js";
import { hasEnded, type InFlightAttempt, type InFlightAttempts } from "./inflight.js";
import type { Recomputations } from "./recomputations.js";
import { canSplitAgain } from "./stragglers.js";

/** Shares the work of a chunk: splits a part off, or resolves two attempts of the same chunk. */
export class Splitter {
  constructor(
    private readonly job: Job,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
    private readonly rates: Rates,
    private readonly recomputations: Recomputations,
  ) {}

  /** Drops the other attempt of a chunk that has a result. */
  supersede({ attempt }: InFlightAttempt): Instruction[] {
    this.attempts.release(attempt.id);
    return [{ do: "drop", node: attempt.node, id: attempt.id }];
  }

  /** Replaces the chunk of an attempt that now ends at `end`; the rest of its units is queued for other slots. */
  split(id: string, end: bigint | undefined, now: number, busy = false): Instruction[] {
    const inFlight = this.attempts.get(id);
    if (inFlight === undefined || hasEnded(inFlight) || inFlight.attempt.chunk.firstResult) return [];
    const { attempt, speculativeCopy } = inFlight;
    const { start, end: before } = attempt.chunk;
    if (inFlight.isSplitPending && !busy) inFlight.isDivisible = canSplitAgain(inFlight, end, now, this.rates.overhead);
    inFlight.isSplitPending = false;
    if (end === undefined || end <= start || end >= before) return [];
    // A piece that ends early does not cover its units, and is of no use.
    const { original } = inFlight.recomputation ?? { original: inFlight };
    const out = this.recomputations.dropPieces(original);
    if (original !== inFlight) return out;
    inFlight.attempt = { ...attempt, chunk: this.job.chunk(start, end) };
    this.retryQueue.add({ chunk: this.job.chunk(end, before), history: [], dueAt: now });
    return speculativeCopy === undefined ? out : [...out, ...this.supersede(speculativeCopy)];
  }
}
