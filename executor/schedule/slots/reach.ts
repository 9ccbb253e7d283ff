import type { Pool } from "./pool.js";
import type { SlotState } from "./slot.js";

/** A slot leaves a chunk to the fastest ones if it would end there in this share of the time, with all that comes before it. */
const CLEARLY = 2 / 3;

/** Chunks that nobody has been given: how much there is to do in all of them, and in one of them on average. */
export interface Rest {
  length: number;
  mean: number;
}

/**
 * The longest indivisible chunk that a slot should be given, by its length: a longer one clearly ends sooner on one of the fastest
 * slots, though that must first be through with what it has and with its part of the rest. Below 0: none at all.
 */
export function reach(slot: SlotState, { speeds }: Pool, rest: Rest): number {
  const { fastest, total } = speeds;
  if (slot.speed.rate === undefined || fastest === undefined) return Number.POSITIVE_INFINITY;
  const lag = CLEARLY / slot.speed.rate - 1 / fastest;
  const head = rest.length / total + rest.mean / fastest - (CLEARLY * slot.load * rest.mean) / slot.speed.rate;
  return lag <= 0 ? Number.POSITIVE_INFINITY : head / lag;
}
