import { findNodeRefusal } from "../executor/schedule/slots/nodeslots.js";
import { matchesAnyPattern } from "../fleet/inventory.js";
import type { Cluster } from "../fleet/slurm/cluster.js";
import type { LoadedJob } from "../launch/loadforlaunch.js";

/** Returns a job that uses at most this many nodes: machines first, then pilots of clusters. undefined = as many as there are. */
export function limitNodes<Loaded extends Pick<LoadedJob, "nodes" | "clusters" | "job">>(
  loaded: Loaded,
  maxNodes: number | undefined,
): Loaded {
  if (maxNodes === undefined) return loaded;
  const { nodes, clusters, job } = loaded;
  const able = nodes.filter((node) => findNodeRefusal(node, job.needs, matchesAnyPattern) === undefined);
  // Without any, the error says why none of them may run it.
  if (able.length + clusters.length === 0) return loaded;
  const limited = able.slice(0, maxNodes);
  return { ...loaded, nodes: limited, clusters: limitPilots(clusters, maxNodes - limited.length) };
}

function limitPilots(clusters: readonly Cluster[], maxPilots: number): Cluster[] {
  let left = maxPilots;
  return clusters.flatMap((cluster) => {
    const pilots = Math.min(cluster.pilots, left);
    left -= pilots;
    return pilots === 0 ? [] : [{ ...cluster, pilots }];
  });
}
