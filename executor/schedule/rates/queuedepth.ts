import type { Job } from "../../job/job.js";

/** Chunks shorter than this (seconds) are queued several deep, for the network must not be waited for. */
const SHORT_CHUNK_SECONDS = 0.5;
/** For chunks longer than this, the moment until the next one arrives is nothing. */
const LONG_CHUNK_SECONDS = 30;
/**
 * Chunks a slot that must be left where one waits behind a running one. A chunk of a range near the end takes half of the time that
 * is left: with another one behind it, its slot would have all of that time given away, and no room for a surprise. Tasks are as
 * long as they are, and may have files of their own to be brought meanwhile.
 */
const MIN_CHUNKS_PER_SLOT: Record<Job["kind"], number> = { range: 8, tasks: 1, matrix: 1 };

/**
 * Chunks that a slot may hold, the running one included. One until it is known how long a chunk takes. Short chunks queue
 * four deep; longer ones have one in waiting while there is plenty for everybody, and none at the end, where a chunk queued
 * behind a slow slot would keep the others waiting.
 */
export function queueDepth(seconds: number | undefined, chunksLeft: number, slots: number, kind: Job["kind"]): number {
  if (seconds === undefined || seconds > LONG_CHUNK_SECONDS || chunksLeft <= slots) return 1;
  if (seconds < SHORT_CHUNK_SECONDS) return 4;
  return chunksLeft <= MIN_CHUNKS_PER_SLOT[kind] * slots ? 1 : 2;
}
