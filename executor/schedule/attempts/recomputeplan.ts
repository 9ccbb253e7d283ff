import { Heap, type HeapItem } from "../slots/heap.js";
import type { SlotState } from "../slots/slotstate.js";
import type { InFlightAttempt } from "./inflight.js";

/** What idle slots do must be expected to end within this share of the time that the running attempt still needs. */
const MAX_TIME_RATIO = 4 / 5;
/** It must save this many seconds: starting, collecting and stopping attempts takes some time. */
const MIN_GAIN_SECONDS = 0.5;
/** The work of a piece takes at least as long as its overhead, and this long. */
const MIN_PIECE_SECONDS = 0.25;

/** A running chunk without progress reports. `secondsLeft`: until it is expected to end; `units`: its units. */
export interface RecomputeCandidate {
  attempt: InFlightAttempt;
  secondsLeft: number;
  units: number;
}

/** An idle slot with its measured rate, in units a second. */
export interface IdleSlot {
  slot: SlotState;
  rate: number;
}

/** The units of a running chunk that idle slots compute again, in the order of the units. */
export interface PlannedRecomputation {
  original: InFlightAttempt;
  pieces: { slot: SlotState; start: bigint; end: bigint }[];
}

/** Whether idle slots save enough if they need `there` seconds for what still takes `secondsLeft`. */
export function isWorthwhile(secondsLeft: number, there: number): boolean {
  return there <= MAX_TIME_RATIO * secondsLeft && secondsLeft - there >= MIN_GAIN_SECONDS;
}

/**
 * Chooses which running chunks idle slots compute again, as a whole and in pieces, so that the last chunk ends soonest. `candidates`: the
 * slowest first; `idle`: the fastest first; `overhead`: seconds of each piece; `minUnits`: of each piece.
 */
export function planRecomputations(
  candidates: readonly RecomputeCandidate[],
  idle: readonly IdleSlot[],
  overhead: number,
  minUnits: number,
): PlannedRecomputation[] {
  const { count, seconds } = chooseCount(candidates, idle, overhead);
  const shares = shareSlots(candidates.slice(0, count), idle, seconds - overhead, minUnits);
  return shares.flatMap(({ candidate, slots, rate }) => {
    const isUseful = slots.length > 0 && isWorthwhile(candidate.secondsLeft, overhead + candidate.units / rate);
    return isUseful ? [{ original: candidate.attempt, pieces: cutPieces(candidate, slots, rate) }] : [];
  });
}

/** Returns how many of the slowest chunks to compute again so that the rest ends soonest, and in how many seconds. */
function chooseCount(
  candidates: readonly RecomputeCandidate[],
  idle: readonly IdleSlot[],
  overhead: number,
): { count: number; seconds: number } {
  const totalRate = idle.reduce((sum, { rate }) => sum + rate, 0);
  let best = { count: 0, seconds: 0, end: candidates[0]?.secondsLeft ?? 0 };
  let units = 0;
  for (const [index, candidate] of candidates.entries()) {
    units += candidate.units;
    const work = Math.max(units / totalRate, overhead, MIN_PIECE_SECONDS);
    const seconds = overhead + work;
    if (!isWorthwhile(candidate.secondsLeft, seconds)) break;
    const end = Math.max(seconds, candidates[index + 1]?.secondsLeft ?? 0);
    if (end < best.end) best = { count: index + 1, seconds, end };
  }
  return best;
}

/** The slots that compute one chunk again, and their rate together. */
interface ShareOfSlots extends HeapItem {
  candidate: RecomputeCandidate;
  slots: IdleSlot[];
  rate: number;
}

/** Gives each slot to the chunk that would end last without it, until all of them are expected to end in `seconds`. */
function shareSlots(
  candidates: readonly RecomputeCandidate[],
  idle: readonly IdleSlot[],
  seconds: number,
  minUnits: number,
): ShareOfSlots[] {
  const shares = candidates.map((candidate): ShareOfSlots => ({ candidate, slots: [], rate: 0 }));
  const latest = new Heap<ShareOfSlots>((a, b) => a.candidate.units * b.rate > b.candidate.units * a.rate);
  for (const share of shares) latest.put(share);
  for (const slot of idle) {
    // The slot that is added last is the slowest, and gets the smallest piece.
    const isFull = ({ candidate, slots, rate }: ShareOfSlots) =>
      slots.length > 0 && candidate.units * slot.rate < minUnits * (rate + slot.rate);
    let share = latest.peek();
    for (; share !== undefined && isFull(share); share = latest.peek()) latest.delete(share);
    if (share === undefined || share.rate * seconds >= share.candidate.units) break;
    share.slots.push(slot);
    share.rate += slot.rate;
    latest.put(share);
  }
  return shares;
}

/** Cuts a chunk in proportion to the rates of the slots, so that all pieces end together. */
function cutPieces(
  { attempt }: RecomputeCandidate,
  slots: readonly IdleSlot[],
  rate: number,
): PlannedRecomputation["pieces"] {
  const { start: first, end: last } = attempt.attempt.chunk;
  const pieces: PlannedRecomputation["pieces"] = [];
  let [start, sum] = [first, 0];
  for (const [index, one] of slots.entries()) {
    sum += one.rate;
    const end = index === slots.length - 1 ? last : first + BigInt(Math.floor((Number(last - first) * sum) / rate));
    if (end > start) pieces.push({ slot: one.slot, start, end });
    start = end;
  }
  return pieces;
}
