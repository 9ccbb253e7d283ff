import type { Cluster } from "../../../fleet/slurm/cluster.js";
import type { Job } from "../../job/job.js";
import type { NodeMatcher } from "../../schedule/slots/nodeslots.js";
import { findPilotSlots } from "./pilotslots.js";

/** What a cluster may do in a job, from the inventory alone. */
export interface ClusterPlan {
  cluster: string;
  /** The most that there are at a time. */
  pilots: number;
  chunksPerPilot: number;
  /** The time limit of a pilot. */
  timeSeconds: number;
  /** Pilots are submitted only while the other nodes would need longer; absent = always. */
  overflowAfterSeconds?: number;
  /** Why it is not used. */
  refused?: string;
}

/** Plans which clusters a job uses, without connecting to any. `doneUnits`: units that need no computing. */
export function planClusters(
  { kind, needs, units }: Pick<Job, "kind" | "needs" | "units">,
  clusters: readonly Cluster[],
  isSelected: NodeMatcher,
  doneUnits = 0n,
): ClusterPlan[] {
  return clusters.map((cluster) => {
    const { name, request, pilots, overflowAfterSeconds } = cluster;
    const slots = findPilotSlots(cluster, needs, isSelected);
    const times = {
      timeSeconds: request.timeSeconds,
      ...(overflowAfterSeconds === undefined ? {} : { overflowAfterSeconds }),
    };
    if (!slots.ok) return { cluster: name, pilots: 0, chunksPerPilot: 0, ...times, refused: slots.reason };
    // A chunk of a range has as many units as fit.
    const useful = kind === "range" ? pilots : Math.ceil(Number(units - doneUnits) / slots.chunks);
    return { cluster: name, pilots: Math.min(pilots, useful), chunksPerPilot: slots.chunks, ...times };
  });
}
