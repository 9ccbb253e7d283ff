import type { Chunk } from "../job/job.js";

/** A chunk that waits to be tried again, from time `at` (seconds) on, on another slot than `avoid` where there is one. */
export interface Retry {
  chunk: Chunk;
  number: number;
  at: number;
  avoid?: string;
}

/** Seconds before try `number` + 1: backoff, twice that, four times that, ... */
export function backoff(base: number, number: number): number {
  return base * 2 ** (number - 1);
}
