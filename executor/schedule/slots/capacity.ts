import type { Node } from "../../../fleet/node.js";
import type { JobRequirements } from "../../job/job.js";
import type { Slot } from "../events.js";

/** The slots of a node that a job uses. `limit`: how many chunks may run there at once; undefined = one on each slot. */
export interface NodeCapacity {
  readonly slots: Slot[];
  readonly limit?: number;
}

/**
 * Returns how many chunks of a job may run on a node at once; undefined = one on each of `slots`. `cores`: of the node;
 * undefined = unknown.
 */
export function findConcurrencyLimit(
  { maxConcurrent }: Node,
  slots: number,
  needs: JobRequirements,
  cores: number | undefined,
): number | undefined {
  if (needs.cores === undefined || cores === undefined) return maxConcurrent;
  const byCores = Math.max(1, Math.floor(cores / needs.cores));
  return byCores < Math.min(slots, maxConcurrent ?? slots) ? byCores : maxConcurrent;
}

/**
 * Returns how many threads a chunk should have: what the job needs, else its share of the node's cores. undefined = the
 * number of `cores` is unknown.
 */
export function countThreads(
  { slots, limit }: NodeCapacity,
  needs: JobRequirements,
  cores: number | undefined,
): number | undefined {
  if (needs.cores !== undefined || cores === undefined) return needs.cores;
  const most = Math.max(1, Math.floor(slots.length / Math.max(1, needs.gpus ?? 1)));
  return Math.max(1, Math.floor(cores / Math.min(most, limit ?? most)));
}
