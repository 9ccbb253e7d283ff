import type { Chunk } from "../../job/job.js";
import type { HeapItem } from "../slots/heap.js";
import type { AttemptHistory } from "../slots/quarantine.js";

/** A chunk that waits to be tried (again), from time `at` (seconds) on. */
export interface PendingChunk extends HeapItem {
  chunk: Chunk;
  history: AttemptHistory;
  dueAt: number;
  /** The attempt that a silent node has of it: until it is given to another, that one may still be taken. */
  leftAttempt?: string;
  /** The node whose memory could not hold it: it is not given back there as long as that is short. */
  outOfMemoryNode?: string;
}

/** Seconds before try `number` + 1: backoff, twice that, four times that, ... */
export function backoffSeconds(base: number, number: number): number {
  return base * 2 ** (number - 1);
}
