import type { Cluster } from "../../../fleet/slurm/cluster.js";
import type { JobRequirements } from "../../job/job.js";
import { findNodeRefusal, type NodeMatcher, selectSlots } from "../../schedule/slots/nodeslots.js";

/** What a pilot of a cluster can do for a job. */
export type PilotSlots =
  | { readonly ok: true; readonly chunks: number }
  | { readonly ok: false; readonly reason: string };

/**
 * Returns how many chunks of a job run on a pilot at once, from the inventory alone, or why the cluster gets no work of it. `isSelected`:
 * whether names, tags and globs select a node.
 */
export function findPilotSlots(
  { pilot, request }: Cluster,
  needs: JobRequirements,
  isSelected: NodeMatcher,
): PilotSlots {
  if (needs.playbooks.length > 0)
    return { ok: false, reason: `needs.playbooks is for machines that muster keeps in their state` };
  const refusal = findNodeRefusal(pilot, needs, isSelected);
  if (refusal !== undefined) return { ok: false, reason: refusal };
  const machine = { cores: request.cpus, gpus: pilot.gpus ?? 0, memory: request.memory };
  const selection = selectSlots(pilot, machine, needs);
  if (!selection.ok) return selection;
  const wide = Math.max(1, needs.gpus ?? 1);
  return { ok: true, chunks: Math.max(1, Math.floor(selection.slots.length / wide)) };
}
