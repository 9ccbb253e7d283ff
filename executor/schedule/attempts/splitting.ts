import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { InFlightAttempt, InFlightAttempts } from "./inflight.js";
import { canSplitAgain } from "./stragglers.js";

/** Chunks whose work is shared: part of it is given away, or two attempts are made of all of it. */
export class Splitter {
  constructor(
    private readonly job: Job,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
  ) {}

  /** The first result of a chunk is there: the other attempt of it is not needed any more. */
  supersede({ attempt }: InFlightAttempt): Instruction[] {
    this.attempts.release(attempt.id);
    return [{ do: "drop", node: attempt.node, id: attempt.id }];
  }

  /** An attempt's chunk ends earlier than it was meant to: the rest of it is for others. */
  split(id: string, end: bigint | undefined, now: number, busy = false): Instruction[] {
    const underway = this.attempts.get(id);
    if (underway === undefined || underway.phase === "collecting" || underway.attempt.chunk.firstResult) return [];
    const { attempt, speculativeCopy: twin } = underway;
    const { start, end: before } = attempt.chunk;
    if (underway.isSplitPending && !busy) underway.isDivisible = canSplitAgain(underway, end, now);
    underway.isSplitPending = false;
    if (end === undefined || end <= start || end >= before) return [];
    attempt.chunk = this.job.chunk(start, end);
    this.retryQueue.add({ chunk: this.job.chunk(end, before), history: [], dueAt: now });
    return twin === undefined ? [] : this.supersede(twin);
  }
}
