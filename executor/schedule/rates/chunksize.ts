import type { Sizing } from "../../job/job.js";
import type { OverheadEstimate } from "./overhead.js";
import type { RateEstimate } from "./rates.js";

/** A chunk is this many times as long as its overhead, within these bounds (seconds), where the job sets no target. */
const TIMES_OVERHEAD = 100;
const MIN_TARGET_SECONDS = 10;
const MAX_TARGET_SECONDS = 600;
/** The target while the overhead is not known. */
const DEFAULT_TARGET_SECONDS = 60;
/** A slot's first chunk after a guess takes this share of the target: the guess may be wrong. */
const FIRST_CHUNK_SHARE = 1 / 8;
/** Near the end, a chunk takes this share of the time that is left: what is then still to do evens the slots out. */
const REMAINING_TIME_SHARE = 1 / 2;
/** No chunk is made to take less than this many times its overhead. */
const MIN_TIMES_OVERHEAD = 2;
/** A chunk is at most this many times as large as the slot's last one. */
const MAX_GROWTH = 8;
/** Units of the first chunk of a slot that nothing is known of, and what share of an even share of the work it may be. */
const FIRST_UNITS = 500;
const FIRST_UNITS_SHARE = 1 / 8;

/** How things stand when a chunk is cut. */
export interface SizingContext {
  /** Units that nobody has been given. */
  left: number;
  /** Slots that can be used, and units a second of all of them; undefined = unknown. */
  slots: number;
  rate: number | undefined;
  /** The least rate known of any slot that is or may come. */
  slowest: number | undefined;
  overhead: OverheadEstimate;
}

/** Units of a slot's next chunk. */
export function chooseChunkSize(sizing: Sizing, speed: RateEstimate, outlook: SizingContext): bigint {
  const wanted = sizing.by === "rate" ? sizeByRate(sizing, speed, outlook) : sizeByTime(sizing, speed, outlook);
  const bounded = Math.max(sizing.min, Math.min(sizing.max ?? Number.POSITIVE_INFINITY, Math.round(wanted)));
  return BigInt(Math.max(1, bounded));
}

/**
 * The slowest slot gets `base`, a slot six times as fast six times as much (coordinator.py's factor x base). A slot that
 * nothing is known of gets `base`.
 */
function sizeByRate(sizing: Extract<Sizing, { by: "rate" }>, speed: RateEstimate, outlook: SizingContext): number {
  const factor = speed.rate === undefined || outlook.slowest === undefined ? 1 : speed.rate / outlook.slowest;
  const units = sizing.base * factor;
  return speed.rate === undefined || speed.evidence === 0
    ? units
    : Math.min(units, speed.rate * guidedSeconds(outlook));
}

/** A chunk that takes the target, or less while little is known of the slot and when little is left to do. */
function sizeByTime(sizing: Extract<Sizing, { by: "time" }>, speed: RateEstimate, outlook: SizingContext): number {
  if (speed.rate === undefined)
    return sizing.first ?? Math.min(FIRST_UNITS, (outlook.left / Math.max(1, outlook.slots)) * FIRST_UNITS_SHARE);
  const target = sizing.target ?? chooseTargetSeconds(outlook.overhead);
  const seconds = Math.min(speed.evidence === 0 ? target * FIRST_CHUNK_SHARE : target, guidedSeconds(outlook));
  const units = speed.rate * seconds;
  return speed.lastChunk === undefined ? units : Math.min(units, MAX_GROWTH * speed.lastChunk.units);
}

export function chooseTargetSeconds(overhead: OverheadEstimate): number {
  return overhead.isKnown
    ? Math.max(MIN_TARGET_SECONDS, Math.min(MAX_TARGET_SECONDS, TIMES_OVERHEAD * overhead.seconds))
    : DEFAULT_TARGET_SECONDS;
}

/** Seconds that a chunk may take so that the slots can still finish together. */
function guidedSeconds({ left, rate, overhead }: SizingContext): number {
  if (rate === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(MIN_TIMES_OVERHEAD * overhead.seconds, (left / rate) * REMAINING_TIME_SHARE);
}
