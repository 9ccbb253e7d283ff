import type { Job } from "../../job/job.js";

/** Chunks shorter than this are queued several deep, so that a slot never waits for the network. */
const SHORT_CHUNK_SECONDS = 0.5;
/** For chunks longer than this, the time until the next one arrives is negligible. */
const LONG_CHUNK_SECONDS = 30;
/**
 * Unassigned chunks per slot below which no chunk is queued behind a running one. A chunk of a range near the end takes
 * half of the remaining time: with another one behind it, the slot would have all of that time assigned and no margin.
 * Tasks have fixed lengths, and the input files of a queued task can be staged meanwhile.
 */
const MIN_CHUNKS_PER_SLOT: Record<Job["kind"], number> = { range: 8, tasks: 1, matrix: 1, shards: 1, queue: 1 };

/**
 * Returns how many chunks a slot may hold, the running one included: 1 until the mean duration of a chunk is known
 * (`seconds`) and for long chunks, 4 for short ones, and 2 for those in between while plenty of chunks are left. At the end
 * it is 1, because a chunk queued behind a slow slot would delay the run.
 */
export function queueDepth(seconds: number | undefined, chunksLeft: number, slots: number, kind: Job["kind"]): number {
  if (seconds === undefined || seconds > LONG_CHUNK_SECONDS || chunksLeft <= slots) return 1;
  if (seconds < SHORT_CHUNK_SECONDS) return 4;
  return chunksLeft <= MIN_CHUNKS_PER_SLOT[kind] * slots ? 1 : 2;
}
