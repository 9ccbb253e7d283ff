import type { Pool } from "./pool.js";
import type { SlotState } from "./slotstate.js";

/** A slot leaves a chunk to the fastest slots if it would end there within this share of the time, queueing included. */
const MAX_TIME_RATIO = 2 / 3;

/** The chunks that no slot has: their total cost and their mean cost. */
export interface UnassignedCost {
  total: number;
  mean: number;
}

/**
 * Returns the highest cost of an indivisible chunk that a slot should be given. A longer chunk ends sooner on one of the
 * fastest slots, even after that slot's present load and its share of the remaining work. Negative = the slot should get
 * none.
 */
export function lengthCutoff(slot: SlotState, { rateHistogram }: Pool, rest: UnassignedCost): number {
  const { fastest, total } = rateHistogram;
  if (slot.rateEstimate.rate === undefined || fastest === undefined) return Number.POSITIVE_INFINITY;
  const lag = MAX_TIME_RATIO / slot.rateEstimate.rate - 1 / fastest;
  const head =
    rest.total / total + rest.mean / fastest - (MAX_TIME_RATIO * slot.load * rest.mean) / slot.rateEstimate.rate;
  return lag <= 0 ? Number.POSITIVE_INFINITY : head / lag;
}
