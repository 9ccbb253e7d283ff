import type { Dialer } from "../../../fleet/connect.js";
import type { Cluster } from "../../../fleet/slurm/cluster.js";
import type { SlurmEngine } from "../../../fleet/slurm/slurmengine.js";
import type { JobRequirements } from "../../job/job.js";
import type { NodeMatcher } from "../../schedule/slots/nodeslots.js";
import type { ExcludedNode } from "../record/runsummary.js";
import { findPilotSlots } from "./pilotslots.js";

/** A cluster that a run may use. */
export interface UsedCluster {
  cluster: Cluster;
  engine: SlurmEngine;
  /** How many chunks run on a pilot at once. */
  chunksPerPilot: number;
}

/** Returns the clusters that a job can use; those that it cannot are added to `leftOut`, each with the reason. */
export function selectUsedClusters(
  clusters: readonly Cluster[],
  needs: JobRequirements,
  isSelected: NodeMatcher,
  dialer: Dialer,
  leftOut: ExcludedNode[],
): UsedCluster[] {
  return clusters.flatMap((cluster) => {
    const slots = findPilotSlots(cluster, needs, isSelected);
    if (slots.ok) return [{ cluster, engine: dialer.engineOf(cluster), chunksPerPilot: slots.chunks }];
    leftOut.push({ node: cluster.name, reason: slots.reason });
    return [];
  });
}
