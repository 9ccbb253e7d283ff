import type { Pool } from "./pool.js";
import type { SlotState } from "./slotstate.js";

/** A slot leaves a chunk to the fastest ones if it would end there in this share of the time, with all that comes before it. */
const MAX_TIME_RATIO = 2 / 3;

/** Chunks that nobody has been given: how much there is to do in all of them, and in one of them on average. */
export interface UnassignedCost {
  total: number;
  mean: number;
}

/**
 * The longest indivisible chunk that a slot should be given, by its length: a longer one clearly ends sooner on one of the fastest
 * slots, though that must first be through with what it has and with its part of the rest. Below 0: none at all.
 */
export function lengthCutoff(slot: SlotState, { rateHistogram: speeds }: Pool, rest: UnassignedCost): number {
  const { fastest, total } = speeds;
  if (slot.rateEstimate.rate === undefined || fastest === undefined) return Number.POSITIVE_INFINITY;
  const lag = MAX_TIME_RATIO / slot.rateEstimate.rate - 1 / fastest;
  const head =
    rest.total / total + rest.mean / fastest - (MAX_TIME_RATIO * slot.load * rest.mean) / slot.rateEstimate.rate;
  return lag <= 0 ? Number.POSITIVE_INFINITY : head / lag;
}
