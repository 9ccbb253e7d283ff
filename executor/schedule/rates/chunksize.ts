import type { Sizing } from "../../job/job.js";
import type { OverheadEstimate } from "./overhead.js";
import type { RateEstimate } from "./rates.js";

/** If the job sets no target, a chunk takes this many times its overhead, within these bounds. */
const TIMES_OVERHEAD = 100;
const MIN_TARGET_SECONDS = 10;
const MAX_TARGET_SECONDS = 600;
/** A warm worker has its overhead once, so its chunks may be shorter. */
const MIN_WARM_TARGET_SECONDS = 2;
/** The target while the overhead is unknown, and that of warm workers. */
const DEFAULT_TARGET_SECONDS = 60;
/** In long runs a chunk takes at most this share of the remaining time, because all of its work is lost with its node. */
const MAX_LOSS_SHARE = 1 / 32;
/** The assumed time between two losses of a slot, such as a reboot of its node. */
const SECONDS_BETWEEN_LOSSES = 86_400;
const DEFAULT_WARM_TARGET_SECONDS = 10;
/** The first chunk of a slot with a guessed rate takes this share of the target, because the guess may be wrong. */
const FIRST_CHUNK_SHARE = 1 / 8;
/** It takes at most this share of the remaining time, of which a slot that is three times slower than guessed then needs half. */
const FIRST_TIME_SHARE = 1 / 6;
/** The overhead may still be unknown then, so that it is worth computing for as long as this. */
const MIN_FIRST_SECONDS = 1;
/** Near the end, a chunk takes a share of the remaining time within these bounds, so that later chunks can even out the slots. */
const MIN_TIME_SHARE = 1 / 2;
const MAX_TIME_SHARE = 0.9;
/** The latest slot is assumed to be late by this many times the expected maximum, because a chunk that is late delays the run. */
const SAFETY_FACTOR = 1.25;
/** A chunk takes all of the time that is left for a slot if that is at most this many times the overhead, */
const MIN_TIMES_OVERHEAD = 3;
/** or if the latest slot would be late by at most this many times the overhead that a further chunk would cost. */
const MAX_LATENESS_OVERHEADS = 1.5;
/** A chunk is at most this many times as large as the slot's previous one. */
const MAX_GROWTH = 8;
/** The most units of the first chunk of a slot with an unknown rate, and its largest share of an even share of the work. */
const FIRST_UNITS = 500;
const FIRST_UNITS_SHARE = 1 / 8;

/** The state of the run when a chunk is sized. */
export interface SizingContext {
  /** The number of unassigned units. */
  left: number;
  /** What busy slots could complete until their chunks end (units), and their rate together. */
  inProgress: { units: number; rate: number };
  /** The number of slots that are usable or expected, and the rate of all of them; undefined = unknown. */
  slots: number;
  rate: number | undefined;
  /** The lowest known rate of any slot that has joined or may join. */
  slowest: number | undefined;
  overhead: OverheadEstimate;
  /** How far durations are from predictions: the standard deviation of their logarithm. */
  deviation: number;
}

/** Returns the units of a slot's next chunk, at least 1. */
export function chooseChunkSize(sizing: Sizing, estimate: RateEstimate, context: SizingContext): bigint {
  const byRule = sizing.by === "rate" ? sizeByRate(sizing, estimate, context) : sizeByTime(sizing, estimate, context);
  const wanted = estimate.lastChunk === undefined ? Math.min(byRule, fairShare(estimate, context)) : byRule;
  const limited = Math.max(sizing.min, Math.min(sizing.max ?? Number.POSITIVE_INFINITY, Math.round(wanted)));
  return BigInt(Math.max(1, limited));
}

/** Returns the units of a slot if all slots shared what is left and ended together, those included that have begun a chunk. */
function fairShare({ rate: own }: RateEstimate, { left, inProgress, slots, rate, overhead }: SizingContext): number {
  // What slots do while this one starts is theirs alone.
  const all = left + Math.max(0, inProgress.units - inProgress.rate * overhead.seconds);
  return own === undefined || rate === undefined ? all / Math.max(1, slots) : (all * own) / Math.max(own, rate);
}

/**
 * Sizes a chunk in proportion to the slot's rate: the slowest slot gets `base` units, a slot six times as fast six times as
 * many (like coordinator.py). A slot with an unknown rate gets `base`.
 */
function sizeByRate(sizing: Extract<Sizing, { by: "rate" }>, estimate: RateEstimate, context: SizingContext): number {
  const factor = estimate.rate === undefined || context.slowest === undefined ? 1 : estimate.rate / context.slowest;
  const units = sizing.base * factor;
  return estimate.rate === undefined || estimate.evidence === 0
    ? units
    : Math.min(units, estimate.rate * guidedSeconds(context));
}

/** Sizes a chunk to take the target time, or less while the rate is uncertain or little work is left. */
function sizeByTime(sizing: Extract<Sizing, { by: "time" }>, estimate: RateEstimate, context: SizingContext): number {
  if (estimate.rate === undefined)
    return sizing.first ?? Math.min(FIRST_UNITS, (context.left / Math.max(1, context.slots)) * FIRST_UNITS_SHARE);
  const target = sizing.target ?? chooseTargetSeconds(context, sizing.isWarm === true);
  const guided = guidedSeconds(context);
  const first = Math.min(target * FIRST_CHUNK_SHARE, Math.max(MIN_FIRST_SECONDS, guided * FIRST_TIME_SHARE));
  const seconds = estimate.evidence === 0 ? Math.min(first, guided) : Math.min(target, guided);
  const units = estimate.rate * seconds;
  return estimate.lastChunk === undefined ? units : Math.min(units, MAX_GROWTH * estimate.lastChunk.units);
}

/**
 * Returns how long a chunk should take if enough work is left. In long runs that is the interval between checkpoints that Young's
 * approximation (1974) gives: it balances the overhead of chunks against the work that is lost with a slot.
 */
function chooseTargetSeconds(context: SizingContext, isWarm: boolean): number {
  const { overhead } = context;
  if (!overhead.isKnown) return isWarm ? DEFAULT_WARM_TARGET_SECONDS : DEFAULT_TARGET_SECONDS;
  const least = isWarm ? MIN_WARM_TARGET_SECONDS : MIN_TARGET_SECONDS;
  const usual = Math.max(least, Math.min(MAX_TARGET_SECONDS, TIMES_OVERHEAD * overhead.seconds));
  const remaining = remainingSeconds(context) ?? 0;
  return Math.max(
    usual,
    Math.min(remaining * MAX_LOSS_SHARE, Math.sqrt(2 * overhead.seconds * SECONDS_BETWEEN_LOSSES)),
  );
}

/** Returns how long all slots together need for what is left and what they have begun; undefined = no rate is known. */
function remainingSeconds({ left, inProgress, rate }: SizingContext): number | undefined {
  return rate === undefined ? undefined : (left + inProgress.units) / rate;
}

/**
 * Returns how long a chunk may take so that all slots can finish together: a share of the remaining time, and the larger the better
 * durations are predicted, as in factoring (Hummel, Schonberg and Flynn, 1992). The rest is enough work for the others while the latest of
 * all slots is late: the expected maximum of as many log-normal deviates.
 */
function guidedSeconds(context: SizingContext): number {
  const { overhead, slots, deviation } = context;
  const remaining = remainingSeconds(context);
  if (remaining === undefined) return Number.POSITIVE_INFINITY;
  const lateness = Math.exp(SAFETY_FACTOR * deviation * Math.sqrt(2 * Math.log(Math.max(2, slots)))) - 1;
  const floor = MIN_TIMES_OVERHEAD * overhead.seconds;
  const isLast = remaining * lateness <= MAX_LATENESS_OVERHEADS * overhead.seconds;
  if (remaining <= floor || isLast) return Math.max(overhead.seconds, remaining);
  const share = Math.max(MIN_TIME_SHARE, Math.min(MAX_TIME_SHARE, 1 / (1 + lateness)));
  return Math.max(floor, remaining * share);
}
