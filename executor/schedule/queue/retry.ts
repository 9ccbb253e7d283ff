import type { Chunk } from "../../job/job.js";
import type { History } from "../slots/blame.js";
import type { Ranked } from "../slots/heap.js";

/** A chunk that waits to be tried (again), from time `at` (seconds) on. */
export interface Retry extends Ranked {
  chunk: Chunk;
  history: History;
  at: number;
  /** The attempt that a silent node has of it: until it is given to another, that one may still be taken. */
  left?: string;
  /** The node whose memory could not hold it: it is not given back there as long as that is short. */
  heavy?: string;
}

/** Seconds before try `number` + 1: backoff, twice that, four times that, ... */
export function backoff(base: number, number: number): number {
  return base * 2 ** (number - 1);
}
