/** Chunks shorter than this (seconds) are queued several deep, for the network must not be waited for. */
const SHORT = 0.5;
/** For chunks longer than this, the moment until the next one arrives is nothing. */
const LONG = 30;

/**
 * Chunks that a slot may hold, the running one included. One until it is known how long a chunk takes. Short chunks queue
 * four deep; longer ones have one in waiting while there is plenty for everybody, and none at the end, where a chunk queued
 * behind a slow slot would keep the others waiting.
 */
export function queueDepth(seconds: number | undefined, chunksLeft: number, slots: number): number {
  if (seconds === undefined || seconds > LONG) return 1;
  if (chunksLeft <= slots) return 1;
  return seconds < SHORT ? 4 : 2;
}
