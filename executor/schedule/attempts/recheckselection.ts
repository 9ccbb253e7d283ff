import type { Chunk, Job } from "../../job/job.js";
import type { Attempt, Failure } from "../events.js";
import type { PendingChunk } from "../queue/pendingchunk.js";
import { slotKey } from "../slots/slotstate.js";

/** The slot that made the first result of a chunk that is computed again. */
export interface ResultOrigin {
  node: string;
  slot: number;
}

/**
 * Whether a chunk is computed a second time. It depends on the chunk's id alone, so that every run of a job selects the
 * same chunks. The chunk with the job's first unit is always selected.
 */
export function isSelectedForRecheck(job: Job, chunk: Pick<Chunk, "id" | "start">): boolean {
  if (job.recheck === undefined) return false;
  return chunk.start === job.first || hashToUnit(chunk.id) < job.recheck.share;
}

/** Returns a pending chunk that must run on another slot than the one that made its first result. */
export function createRecheck(chunk: Chunk, { node, slot }: ResultOrigin, now: number): PendingChunk {
  const first = { node, slot: slotKey(node, slot), forgiven: true };
  return { chunk: { ...chunk, firstResult: { node, slot } }, history: [first], dueAt: now };
}

/** Returns why a chunk is not rechecked if there is one slot only: the same slot would give no independent result. */
export function onlySlotFailure({ chunk, node, slot, number: attempt }: Attempt): Failure {
  const reason = "there is one slot only, and a recheck must run on another one";
  return { chunk: chunk.id, node, slot, attempt, exit: null, signal: null, reason, stderr: "" };
}

/** Hashes a text to [0, 1): FNV-1a, then the finalizer of MurmurHash3. */
function hashToUnit(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
