import type { Job } from "../job/job.js";
import type { ChunkStops } from "./attempts/chunkstops.js";
import { hasEnded, type InFlightAttempts } from "./attempts/inflight.js";
import { createRecheck, isSelectedForRecheck, onlySlotFailure } from "./attempts/recheckselection.js";
import type { Recomputations } from "./attempts/recomputations.js";
import type { Splitter } from "./attempts/splitting.js";
import type { Event, Instruction } from "./events.js";
import type { HaltPolicy } from "./halting/haltpolicy.js";
import type { RetryQueue } from "./queue/retryqueue.js";
import type { Pool } from "./slots/pool.js";
import type { QuarantineTracker } from "./slots/quarantine.js";

/** What the result of an attempt changes. */
export interface ResultTargets {
  job: Job;
  pool: Pool;
  attempts: InFlightAttempts;
  retryQueue: RetryQueue;
  quarantine: QuarantineTracker;
  recomputations: Recomputations;
  splitter: Splitter;
  stops: ChunkStops;
  halting: HaltPolicy;
}

/** Decides what follows when an attempt has ended with a result, and when that is committed. */
export class ResultEvents {
  constructor(private readonly targets: ResultTargets) {}

  /** Handles an attempt that has succeeded: learns from it, and has its result collected. */
  finish({ attempt: id, seconds, end }: Extract<Event, { type: "finished" }>, now: number): Instruction[] {
    const { attempts, pool, quarantine, splitter } = this.targets;
    const out = splitter.split(id, end, now);
    const inFlight = attempts.get(id);
    if (inFlight === undefined || hasEnded(inFlight)) return out;
    const { attempt, slot, slots } = inFlight;
    pool.recordDuration(slot, attempt.chunk, seconds);
    out.push(...this.startCollecting(id), ...slots.flatMap((one) => quarantine.recordSuccess(one)));
    return out;
  }

  /** Handles an attempt that has ended with what is to be its chunk's result: no other attempt at the chunk is needed. */
  startCollecting(id: string): Instruction[] {
    const { attempts, recomputations, splitter } = this.targets;
    if (!attempts.startCollecting(id)) return [];
    const inFlight = attempts.get(id)!;
    const out = recomputations.dropPieces(inFlight);
    return inFlight.speculativeCopy === undefined ? out : [...out, ...splitter.supersede(inFlight.speculativeCopy)];
  }

  /** The result is stored. Chunks selected for a recheck are computed a second time on another slot. */
  commit(id: string, now: number): Instruction[] {
    const { attempts, stops, halting, job, pool, retryQueue } = this.targets;
    const { attempt } = attempts.release(id) ?? {};
    if (attempt === undefined || attempt.chunk.firstResult !== undefined) return [];
    if (stops.settle(attempt.chunk.id)) return [];
    halting.recordCommit();
    if (!isSelectedForRecheck(job, attempt.chunk)) return [];
    if (pool.slotCount < 2) return [{ do: "skip-recheck", failure: onlySlotFailure(attempt) }];
    retryQueue.add(createRecheck(attempt.chunk, attempt, now));
    return [];
  }
}
