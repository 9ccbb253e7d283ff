import type { Sizing } from "../../job/job.js";
import type { Overhead } from "./overhead.js";
import type { Speed } from "./rates.js";

/** A chunk is this many times as long as its overhead, within these bounds (seconds), where the job sets no target. */
const TIMES_OVERHEAD = 100;
const SHORTEST = 10;
const LONGEST = 600;
/** The target while the overhead is not known. */
const FIRST_TARGET = 60;
/** A slot's first chunk after a guess takes this share of the target: the guess may be wrong. */
const TRIAL = 1 / 8;
/** Near the end, a chunk takes this share of the time that is left: what is then still to do evens the slots out. */
const SHARE_OF_REST = 1 / 2;
/** No chunk is made to take less than this many times its overhead. */
const FLOOR = 2;
/** A chunk is at most this many times as large as the slot's last one. */
const GROWTH = 8;
/** Units of the first chunk of a slot that nothing is known of, and what share of an even share of the work it may be. */
const FIRST_UNITS = 500;
const FIRST_SHARE = 1 / 8;

/** How things stand when a chunk is cut. */
export interface Outlook {
  /** Units that nobody has been given. */
  left: number;
  /** Slots that can be used, and units a second of all of them; undefined = unknown. */
  slots: number;
  rate: number | undefined;
  /** The least rate known of any slot that is or may come. */
  slowest: number | undefined;
  overhead: Overhead;
}

/** Units of a slot's next chunk. */
export function chunkSize(sizing: Sizing, speed: Speed, outlook: Outlook): bigint {
  const wanted = sizing.by === "rate" ? byRate(sizing, speed, outlook) : byTime(sizing, speed, outlook);
  const bounded = Math.max(sizing.min, Math.min(sizing.max ?? Number.POSITIVE_INFINITY, Math.round(wanted)));
  return BigInt(Math.max(1, bounded));
}

/**
 * The slowest slot gets `base`, a slot six times as fast six times as much (coordinator.py's factor x base). A slot that
 * nothing is known of gets `base`.
 */
function byRate(sizing: Extract<Sizing, { by: "rate" }>, speed: Speed, outlook: Outlook): number {
  const factor = speed.rate === undefined || outlook.slowest === undefined ? 1 : speed.rate / outlook.slowest;
  const units = sizing.base * factor;
  return speed.rate === undefined || speed.evidence === 0 ? units : Math.min(units, speed.rate * guided(outlook));
}

/** A chunk that takes the target, or less while little is known of the slot and when little is left to do. */
function byTime(sizing: Extract<Sizing, { by: "time" }>, speed: Speed, outlook: Outlook): number {
  if (speed.rate === undefined)
    return sizing.first ?? Math.min(FIRST_UNITS, (outlook.left / Math.max(1, outlook.slots)) * FIRST_SHARE);
  const target = sizing.target ?? targetFor(outlook.overhead);
  const seconds = Math.min(speed.evidence === 0 ? target * TRIAL : target, guided(outlook));
  const units = speed.rate * seconds;
  return speed.last === undefined ? units : Math.min(units, GROWTH * speed.last.units);
}

export function targetFor(overhead: Overhead): number {
  return overhead.known ? Math.max(SHORTEST, Math.min(LONGEST, TIMES_OVERHEAD * overhead.seconds)) : FIRST_TARGET;
}

/** Seconds that a chunk may take so that the slots can still finish together. */
function guided({ left, rate, overhead }: Outlook): number {
  if (rate === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(FLOOR * overhead.seconds, (left / rate) * SHARE_OF_REST);
}
