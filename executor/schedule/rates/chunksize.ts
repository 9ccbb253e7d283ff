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
const DEFAULT_WARM_TARGET_SECONDS = 10;
/** The first chunk of a slot with a guessed rate takes this share of the target, because the guess may be wrong. */
const FIRST_CHUNK_SHARE = 1 / 8;
/** Near the end, a chunk takes a share of the remaining time within these bounds, so that later chunks can even out the slots. */
const MIN_TIME_SHARE = 1 / 2;
const MAX_TIME_SHARE = 0.85;
/** No chunk is planned to take less than this many times its overhead. */
const MIN_TIMES_OVERHEAD = 3;
/** A chunk is at most this many times as large as the slot's previous one. */
const MAX_GROWTH = 8;
/** The most units of the first chunk of a slot with an unknown rate, and its largest share of an even share of the work. */
const FIRST_UNITS = 500;
const FIRST_UNITS_SHARE = 1 / 8;

/** The state of the run when a chunk is sized. */
export interface SizingContext {
  /** The number of unassigned units. */
  left: number;
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

/** Returns the units of a slot if all slots shared what is left and ended together. */
function fairShare({ rate: own }: RateEstimate, { left, slots, rate }: SizingContext): number {
  return own === undefined || rate === undefined ? left / Math.max(1, slots) : (left * own) / Math.max(own, rate);
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
  const target = sizing.target ?? chooseTargetSeconds(context.overhead, sizing.isWarm === true);
  const seconds = Math.min(estimate.evidence === 0 ? target * FIRST_CHUNK_SHARE : target, guidedSeconds(context));
  const units = estimate.rate * seconds;
  return estimate.lastChunk === undefined ? units : Math.min(units, MAX_GROWTH * estimate.lastChunk.units);
}

function chooseTargetSeconds(overhead: OverheadEstimate, isWarm: boolean): number {
  const least = isWarm ? MIN_WARM_TARGET_SECONDS : MIN_TARGET_SECONDS;
  return overhead.isKnown
    ? Math.max(least, Math.min(MAX_TARGET_SECONDS, TIMES_OVERHEAD * overhead.seconds))
    : isWarm
      ? DEFAULT_WARM_TARGET_SECONDS
      : DEFAULT_TARGET_SECONDS;
}

/**
 * Returns how long a chunk may take so that all slots can finish together: a share of the remaining time as in guided self-scheduling
 * (Polychronopoulos and Kuck, 1987), and the larger the better durations are predicted, as in factoring (Hummel, Schonberg and Flynn,
 * 1992). The rest is enough work for the others while the latest of all slots is late: the expected maximum of as many normal deviates.
 */
function guidedSeconds({ left, rate, overhead, slots, deviation }: SizingContext): number {
  if (rate === undefined) return Number.POSITIVE_INFINITY;
  const lateness = deviation * Math.sqrt(2 * Math.log(Math.max(2, slots)));
  const share = Math.max(MIN_TIME_SHARE, Math.min(MAX_TIME_SHARE, 1 / (1 + lateness)));
  return Math.max(MIN_TIMES_OVERHEAD * overhead.seconds, (left / rate) * share);
}
