import type { Chunk, Job } from "../../job/job.js";
import type { Attempt, Failure } from "../events.js";
import type { PendingChunk } from "../queue/pendingchunk.js";
import { slotKey } from "../slots/slotstate.js";

/** Who made the first result of a chunk that is computed again. */
export interface ResultOrigin {
  node: string;
  slot: number;
}

/**
 * Whether a chunk is one of those that are computed again. By its id alone, so that every run of a job chooses the same; the
 * chunk of the job's first unit always is, so that no run is without one. Pure.
 */
export function isSelectedForRecheck(job: Job, chunk: Pick<Chunk, "id" | "start">): boolean {
  if (job.recheck === undefined) return false;
  return chunk.start === job.first || hashToUnit(chunk.id) < job.recheck.share;
}

/** A chunk to be computed again, elsewhere than on the slot that made its first result. */
export function createRecheck(chunk: Chunk, { node, slot }: ResultOrigin, now: number): PendingChunk {
  const first = { node, slot: slotKey(node, slot), forgiven: true };
  return { chunk: { ...chunk, firstResult: { node, slot } }, history: [first], dueAt: now };
}

/** Why a chunk is not computed again on the only slot that there is: it would be no second opinion. */
export function onlySlotFailure({ chunk, node, slot, number: attempt }: Attempt): Failure {
  const reason = "there is one slot only, and a second result must come from another";
  return { chunk: chunk.id, node, slot, attempt, exit: null, signal: null, reason, stderr: "" };
}

/** A number from 0 to 1 that looks random: FNV-1a, its bits then mixed as MurmurHash3 does at its end. */
function hashToUnit(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
