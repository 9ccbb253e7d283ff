import type { Node } from "../node.js";
import { type Cluster, createPilotNode } from "./cluster.js";

/** A node by its name: a machine, or a pilot with its cluster. */
export interface FoundNode {
  node: Node;
  cluster?: Cluster;
}

/** Returns the machine or the pilot (`CLUSTER/JOBID`) of this name; undefined = the inventory has no such machine or cluster. */
export function findNodeOrPilot(
  { nodes, clusters }: { nodes: readonly Node[]; clusters: readonly Cluster[] },
  name: string,
): FoundNode | undefined {
  const node = nodes.find((one) => one.name === name);
  if (node !== undefined) return { node };
  const [, clusterName, id] = /^(.+)\/(\d+)$/.exec(name) ?? [];
  const cluster = clusters.find((one) => one.name === clusterName);
  return cluster && { node: createPilotNode(cluster, id!), cluster };
}
