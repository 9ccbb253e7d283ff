import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { Lengths } from "../rates/lengths.js";
import type { Rates } from "../rates/rates.js";
import { losses } from "../slots/losses.js";
import type { Pool } from "../slots/pool.js";
import { isShort, type SlotState } from "../slots/slot.js";
import { pinRefusal } from "../slots/slots.js";
import type { Attempts, Underway } from "./underway.js";

/** A second attempt must be expected to end in this share of the time that the first one still needs, at the most. */
const CLEARLY = 4 / 5;
/** A chunk is divided only if it still needs this long (seconds), and so many times its overhead; tried twice, this long. */
const WORTHWHILE = 2;
const TIMES_OVERHEAD = 3;
const WORTH_TWICE = 20;
/** A chunk on a slot that has not been measured is overdue at so many times what an average slot would take. */
const OVERDUE = 2;
/** Seconds between two looks at what is under way while slots have nothing to do: at the most, and at the least. */
const LOOK_AGAIN = 5;
const PAUSE = 0.25;

/** A program that has just begun may not have come to say that it can be divided (seconds). */
const LOADING = 5;

/** A second attempt at a chunk, on an idle slot. */
export interface Double {
  of: Underway;
  slot: SlotState;
}

export interface Relief {
  instructions: Instruction[];
  doubles: Double[];
}

interface Expected {
  underway: Underway;
  /** Seconds until it ends. */
  left: number;
}

/**
 * What idle slots can do when nothing waits: take what is queued behind another slot's chunk, take over a part of the slowest
 * chunk where its script lets itself be divided, or try it a second time where that is clearly sooner there. Never without
 * knowing how long chunks take; and what a silent node has is left to it for as long as it is waited for.
 */
export class Tail {
  private looked = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly attempts: Attempts,
    private readonly rates: Rates,
    private readonly lengths: Lengths,
  ) {}

  relieve(now: number): Relief {
    const relief: Relief = { instructions: [], doubles: [] };
    if (this.pool.openings.idle(1).length === 0) return relief;
    if (now < this.looked + PAUSE) {
      relief.instructions.push({ do: "wake", at: this.looked + PAUSE });
      return relief;
    }
    this.looked = now;
    relief.instructions.push({ do: "wake", at: now + LOOK_AGAIN });
    const slowest = this.expected(now).sort((a, b) => b.left - a.left);
    const idle = this.pool.openings.idle(slowest.length);
    for (const one of slowest) {
      const at = idle.findIndex((slot) => canHave(one.underway, slot));
      if (at >= 0 && this.help(one, idle[at]!, now, relief)) idle.splice(at, 1);
      if (idle.length === 0) break;
    }
    return relief;
  }

  /** Decides what an idle slot does for a chunk; false: nothing. */
  private help({ underway, left }: Expected, slot: SlotState, now: number, relief: Relief): boolean {
    const { attempt } = underway;
    if (attempt.chunk.again !== undefined) return false;
    if (underway.asked) return true;
    if (underway.twin !== undefined) return false;
    if (underway.phase === "queued") {
      underway.leaving = true;
      relief.instructions.push({ do: "withdraw", node: attempt.node, ids: [attempt.id] });
      return true;
    }
    if (losses(underway.history) > 0) return false;
    if (left < Math.max(WORTHWHILE, TIMES_OVERHEAD * this.rates.overhead.seconds)) return false;
    if (this.job.kind === "range" && underway.divisible) {
      underway.asked = true;
      relief.instructions.push({
        do: "split",
        node: attempt.node,
        id: attempt.id,
        share: share(underway, left, now, slot),
      });
      return true;
    }
    const there = this.needs(underway, slot, now);
    if (left < WORTH_TWICE || there === undefined || there > left * CLEARLY) return false;
    relief.doubles.push({ of: underway, slot });
    return true;
  }

  /** Attempts that have not ended and of which it is known how long they will take, and those that could leave their slot. */
  private expected(now: number): Expected[] {
    const before = new Map<SlotState, number>();
    const all: Expected[] = [];
    for (const underway of this.attempts.values()) {
      if (underway.phase === "collecting") continue;
      const { slot, phase } = underway;
      const left = phase === "queued" ? waitOf(underway, before.get(slot)) : this.leftOf(underway, now);
      before.set(slot, before.get(slot) ?? left ?? 0);
      if (left === undefined || underway.leaving || !slot.home.live) continue;
      all.push({ underway, left });
    }
    return all;
  }

  /** Seconds that a running attempt still needs: one that is overdue is expected to need as long again as it is late. */
  private leftOf(underway: Underway, now: number): number | undefined {
    const elapsed = now - underway.since;
    const total = this.needs(underway, underway.slot, now);
    if (total !== undefined) return Math.max(total, 2 * elapsed - total) - elapsed;
    const usual = this.usual(underway);
    return usual !== undefined && elapsed > OVERDUE * usual ? elapsed : undefined;
  }

  /** Seconds that the chunk of an attempt would take on an average slot; undefined before any chunk has ended. */
  private usual({ attempt }: Underway): number | undefined {
    const { rate, usableSlots } = this.pool;
    const length = this.lengths.of(attempt.chunk);
    if (rate === undefined || length === undefined || this.rates.seconds === undefined) return undefined;
    return this.rates.overhead.seconds + length / (rate / usableSlots);
  }

  /** Seconds that the chunk of a running attempt takes on a slot, from its beginning; undefined where nothing was measured. */
  private needs(underway: Underway, { speed }: SlotState, now: number): number | undefined {
    if (speed.rate === undefined || speed.evidence === 0) return undefined;
    const length = this.lengths.after(underway.attempt.chunk, this.past(underway, now));
    return length === undefined ? undefined : this.rates.overhead.seconds + length / speed.rate;
  }

  /** How much a running attempt has behind it, if it does as much as its slot does. */
  private past({ slot, since }: Underway, now: number): number {
    return Math.max(0, now - since - this.rates.overhead.seconds) * (slot.speed.rate ?? 0);
  }
}

/** Seconds that a queued attempt waits for what came before it; undefined where that is no reason to leave. */
function waitOf({ slot }: Underway, before: number | undefined): number | undefined {
  if (slot.holder !== undefined || slot.short) return Number.POSITIVE_INFINITY;
  return before !== undefined && before >= WORTHWHILE ? before : undefined;
}

/** Whether an idle slot may take (a part of) it: what its own node's memory cannot hold needs another one's. */
function canHave({ attempt, slot: own }: Underway, slot: SlotState): boolean {
  if (pinRefusal(attempt.chunk, slot) !== undefined) return false;
  return !own.short || !isShort(slot.home);
}

/** The part of what is left that a slot takes over from a running attempt: both then end together. */
function share({ attempt, since }: Underway, left: number, now: number, slot: SlotState): number {
  const here = Number(attempt.chunk.end - attempt.chunk.start) / (now - since + left);
  const there = slot.speed.rate;
  return there === undefined || slot.speed.evidence === 0 ? 0.5 : there / (here + there);
}

/** Whether it makes sense to ask an attempt again to give a part away, after the answer that its chunk ends at `end`. */
export function mayDivide({ attempt, since }: Underway, end: bigint | undefined, now: number): boolean {
  return end === undefined ? now - since < LOADING : end < attempt.chunk.end;
}
