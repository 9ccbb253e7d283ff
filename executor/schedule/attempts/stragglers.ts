import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { CostModel } from "../rates/costmodel.js";
import type { Rates } from "../rates/rates.js";
import { countAgentDeaths } from "../slots/agentdeaths.js";
import { findPinRefusal } from "../slots/nodeslots.js";
import type { Pool } from "../slots/pool.js";
import { isShortOfMemory, type SlotState } from "../slots/slotstate.js";
import type { InFlightAttempt, InFlightAttempts } from "./inflight.js";

/** A second attempt must be expected to end in this share of the time that the first one still needs, at the most. */
const MAX_COPY_TIME_RATIO = 4 / 5;
/** A chunk is divided only if it still needs this long (seconds), and so many times its overhead; tried twice, this long. */
const MIN_SPLIT_SECONDS = 2;
const MIN_SPLIT_OVERHEADS = 3;
const MIN_COPY_SECONDS = 20;
/** A chunk on a slot that has not been measured is overdue at so many times what an average slot would take. */
const OVERDUE_FACTOR = 2;
/** Seconds between two looks at what is under way while slots have nothing to do: at the most, and at the least. */
const MAX_CHECK_INTERVAL_SECONDS = 5;
const MIN_CHECK_INTERVAL_SECONDS = 0.25;

/** A program that has just begun may not have come to say that it can be divided (seconds). */
const PROGRAM_LOAD_SECONDS = 5;

/** A second attempt at a chunk, on an idle slot. */
export interface SpeculativeCopy {
  original: InFlightAttempt;
  slot: SlotState;
}

export interface StragglerActions {
  instructions: Instruction[];
  copies: SpeculativeCopy[];
}

interface Straggler {
  attempt: InFlightAttempt;
  /** Seconds until it ends. */
  secondsLeft: number;
}

/**
 * What idle slots can do when nothing waits: take what is queued behind another slot's chunk, take over a part of the slowest
 * chunk where its script lets itself be divided, or try it a second time where that is clearly sooner there. Never without
 * knowing how long chunks take; and what a silent node has is left to it for as long as it is waited for.
 */
export class StragglerPolicy {
  private lastCheck = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly rates: Rates,
    private readonly costs: CostModel,
  ) {}

  findWork(now: number): StragglerActions {
    const relief: StragglerActions = { instructions: [], copies: [] };
    if (this.pool.freeSlots.findIdle(1).length === 0) return relief;
    if (now < this.lastCheck + MIN_CHECK_INTERVAL_SECONDS) {
      relief.instructions.push({ do: "wake", at: this.lastCheck + MIN_CHECK_INTERVAL_SECONDS });
      return relief;
    }
    this.lastCheck = now;
    relief.instructions.push({ do: "wake", at: now + MAX_CHECK_INTERVAL_SECONDS });
    const slowest = this.listStragglers(now).sort((a, b) => b.secondsLeft - a.secondsLeft);
    const idle = this.pool.freeSlots.findIdle(slowest.length);
    for (const one of slowest) {
      const at = idle.findIndex((slot) => canTake(one.attempt, slot));
      if (at >= 0 && this.helpStraggler(one, idle[at]!, now, relief)) idle.splice(at, 1);
      if (idle.length === 0) break;
    }
    return relief;
  }

  /** Decides what an idle slot does for a chunk; false: nothing. */
  private helpStraggler(
    { attempt: underway, secondsLeft: left }: Straggler,
    slot: SlotState,
    now: number,
    relief: StragglerActions,
  ): boolean {
    const { attempt } = underway;
    if (attempt.chunk.firstResult !== undefined) return false;
    if (underway.isSplitPending) return true;
    if (underway.speculativeCopy !== undefined) return false;
    if (underway.phase === "queued") {
      underway.isWithdrawn = true;
      relief.instructions.push({ do: "withdraw", node: attempt.node, ids: [attempt.id] });
      return true;
    }
    if (countAgentDeaths(underway.history) > 0) return false;
    if (left < Math.max(MIN_SPLIT_SECONDS, MIN_SPLIT_OVERHEADS * this.rates.overhead.seconds)) return false;
    if (this.job.kind === "range" && underway.isDivisible) {
      underway.isSplitPending = true;
      relief.instructions.push({
        do: "split",
        node: attempt.node,
        id: attempt.id,
        share: splitShare(underway, left, now, slot),
      });
      return true;
    }
    const there = this.estimateSeconds(underway, slot, now);
    if (left < MIN_COPY_SECONDS || there === undefined || there > left * MAX_COPY_TIME_RATIO) return false;
    relief.copies.push({ original: underway, slot });
    return true;
  }

  /** Attempts that have not ended and of which it is known how long they will take, and those that could leave their slot. */
  private listStragglers(now: number): Straggler[] {
    const before = new Map<SlotState, number>();
    const all: Straggler[] = [];
    for (const underway of this.attempts.values()) {
      if (underway.phase === "collecting") continue;
      const { slot, phase } = underway;
      const left =
        phase === "queued" ? queueWaitSeconds(underway, before.get(slot)) : this.estimateSecondsLeft(underway, now);
      before.set(slot, before.get(slot) ?? left ?? 0);
      if (left === undefined || underway.isWithdrawn || !slot.home.isConnected) continue;
      all.push({ attempt: underway, secondsLeft: left });
    }
    return all;
  }

  /** Seconds that a running attempt still needs: one that is overdue is expected to need as long again as it is late. */
  private estimateSecondsLeft(underway: InFlightAttempt, now: number): number | undefined {
    const elapsed = now - underway.since;
    const total = this.estimateSeconds(underway, underway.slot, now);
    if (total !== undefined) return Math.max(total, 2 * elapsed - total) - elapsed;
    const usual = this.averageSeconds(underway);
    return usual !== undefined && elapsed > OVERDUE_FACTOR * usual ? elapsed : undefined;
  }

  /** Seconds that the chunk of an attempt would take on an average slot; undefined before any chunk has ended. */
  private averageSeconds({ attempt }: InFlightAttempt): number | undefined {
    const { rate, usableSlots } = this.pool;
    const length = this.costs.estimate(attempt.chunk);
    if (rate === undefined || length === undefined || this.rates.seconds === undefined) return undefined;
    return this.rates.overhead.seconds + length / (rate / usableSlots);
  }

  /** Seconds that the chunk of a running attempt takes on a slot, from its beginning; undefined where nothing was measured. */
  private estimateSeconds(
    underway: InFlightAttempt,
    { rateEstimate: speed }: SlotState,
    now: number,
  ): number | undefined {
    if (speed.rate === undefined || speed.evidence === 0) return undefined;
    const length = this.costs.estimateAfter(underway.attempt.chunk, this.estimateProgress(underway, now));
    return length === undefined ? undefined : this.rates.overhead.seconds + length / speed.rate;
  }

  /** How much a running attempt has behind it, if it does as much as its slot does. */
  private estimateProgress({ slot, since }: InFlightAttempt, now: number): number {
    return Math.max(0, now - since - this.rates.overhead.seconds) * (slot.rateEstimate.rate ?? 0);
  }
}

/** Seconds that a queued attempt waits for what came before it; undefined where that is no reason to leave. */
function queueWaitSeconds({ slot }: InFlightAttempt, before: number | undefined): number | undefined {
  if (slot.holder !== undefined || slot.isMemoryShort) return Number.POSITIVE_INFINITY;
  return before !== undefined && before >= MIN_SPLIT_SECONDS ? before : undefined;
}

/** Whether an idle slot may take (a part of) it: what its own node's memory cannot hold needs another one's. */
function canTake({ attempt, slot: own }: InFlightAttempt, slot: SlotState): boolean {
  if (findPinRefusal(attempt.chunk, slot) !== undefined) return false;
  return !own.isMemoryShort || !isShortOfMemory(slot.home);
}

/** The part of what is left that a slot takes over from a running attempt: both then end together. */
function splitShare({ attempt, since }: InFlightAttempt, left: number, now: number, slot: SlotState): number {
  const here = Number(attempt.chunk.end - attempt.chunk.start) / (now - since + left);
  const there = slot.rateEstimate.rate;
  return there === undefined || slot.rateEstimate.evidence === 0 ? 0.5 : there / (here + there);
}

/** Whether it makes sense to ask an attempt again to give a part away, after the answer that its chunk ends at `end`. */
export function canSplitAgain({ attempt, since }: InFlightAttempt, end: bigint | undefined, now: number): boolean {
  return end === undefined ? now - since < PROGRAM_LOAD_SECONDS : end < attempt.chunk.end;
}
