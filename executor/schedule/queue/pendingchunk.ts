import type { Chunk } from "../../job/job.js";
import type { HeapItem } from "../slots/heap.js";
import type { AttemptHistory } from "../slots/quarantine.js";

/** A chunk that waits for its next attempt, until `dueAt` (seconds). */
export interface PendingChunk extends HeapItem {
  chunk: Chunk;
  history: AttemptHistory;
  dueAt: number;
  /** Since when it is due, in seconds. */
  queuedAt?: number;
  /** The attempt of it on a disconnected node: it may still be taken over until the chunk is started elsewhere. */
  leftAttempt?: string;
  /** The node without enough memory for it: it does not go back there while that node is short of memory. */
  outOfMemoryNode?: string;
  /** The longest that an attempt at it has run on a node that then ended, in seconds. */
  longestRunSeconds?: number;
}

/** Returns the delay in seconds after try `number`: exponential backoff, `base` * 2 ** (number - 1). */
export function backoffSeconds(base: number, number: number): number {
  return base * 2 ** (number - 1);
}
