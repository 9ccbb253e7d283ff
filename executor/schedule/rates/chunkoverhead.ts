import type { Sizing } from "../../job/job.js";

/** The mean start-up of a chunk (loading an interpreter and libraries) and its mean work after that, in seconds. */
export interface ChunkOverhead {
  overheadSeconds: number;
  workSeconds: number;
}

/** What a run has measured. `units`: the mean size of its chunks. */
export interface MeasuredOverhead extends ChunkOverhead {
  units: number;
}

/** Overhead of more than this share of the work is worth a word. */
const MAX_SHARE = 0.1;
/** What is less depends on the machine's load rather than on the program. */
const MIN_OVERHEAD_SECONDS = 0.1;
/** Chunks that should take this long are not at fault. */
const ADVISED_TARGET_SECONDS = 300;

/**
 * Returns the overhead where it is more than a tenth of the work because of what the job says of its chunks; undefined otherwise. With
 * neither `base`, a fixed size nor a short `target`, chunks are as long as the job allows.
 */
export function findCostlyOverhead(
  sizing: Sizing | undefined,
  overhead: ChunkOverhead | undefined,
): ChunkOverhead | undefined {
  if (sizing === undefined || overhead === undefined) return undefined;
  const { overheadSeconds, workSeconds } = overhead;
  if (overheadSeconds < MIN_OVERHEAD_SECONDS || overheadSeconds <= MAX_SHARE * workSeconds) return undefined;
  const limit = sizing.by === "time" && sizing.max === undefined ? (sizing.target ?? ADVISED_TARGET_SECONDS) : 0;
  if (limit >= ADVISED_TARGET_SECONDS) return undefined;
  return {
    overheadSeconds: Number(overheadSeconds.toPrecision(3)),
    workSeconds: Number(workSeconds.toPrecision(3)),
  };
}
