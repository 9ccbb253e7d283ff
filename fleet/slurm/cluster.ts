import type { FilePosition } from "../../schemas/errors.js";
import type { Node } from "../node.js";

/** Keys of a cluster whose value Slurm may refuse. */
export type ClusterKey = "partition" | "account" | "gres" | "time" | "memory" | "cpus" | "sbatch";

/** A Slurm cluster, as the inventory describes it. */
export interface Cluster {
  name: string;
  /** Where sbatch, squeue, scancel and srun run. */
  login: Node;
  /** What all pilots have in common; `createPilotNode` makes a node of it. */
  pilot: Node;
  request: AllocationRequest;
  /** How many pilots there may be at a time. */
  pilots: number;
  /** Bash lines that run before the agent starts. */
  setup: readonly string[];
  /** Environment modules that are loaded before these lines. */
  modules: readonly string[];
  /** Where the inventory says what Slurm may refuse. */
  positions: Partial<Record<ClusterKey, FilePosition>>;
  /** Pilots are submitted only while the other nodes would need longer than this many seconds; undefined = always. */
  overflowAfterSeconds: number | undefined;
}

/** What one pilot asks of the cluster. */
export interface AllocationRequest {
  partition?: string;
  account?: string;
  /** `gpu:1`, `gpu:a100:2`. */
  gres?: string;
  cpus: number;
  /** Bytes. */
  memory?: number;
  /** The time limit in seconds. */
  timeSeconds: number;
  /** Further words for sbatch. */
  sbatch: readonly string[];
}

/** How long before its end Slurm tells a pilot, so that its chunks can save their state: 2 minutes, a quarter of a short time limit. */
const WARNING_SECONDS = 120;
const MIN_WARNING_SECONDS = 10;

/** Returns how many seconds before the end of its time limit a pilot is told to end its chunks. */
export function warningSeconds({ timeSeconds }: Pick<AllocationRequest, "timeSeconds">): number {
  return Math.max(MIN_WARNING_SECONDS, Math.min(WARNING_SECONDS, Math.floor(timeSeconds / 4)));
}

/** Returns the node that a pilot is in a run. */
export function createPilotNode(cluster: Cluster, id: string): Node {
  const { pilot, name } = cluster;
  return {
    ...pilot,
    name: `${name}/${id}`,
    workdir: pilot.workdir.replaceAll("%j", id),
    allocation: { cluster: name, id },
  };
}
