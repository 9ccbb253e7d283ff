import { MusterError } from "../../schemas/errors.js";
import { Dialer } from "../connect.js";
import type { Cluster } from "./cluster.js";
import type { SlurmEngine } from "./slurmengine.js";

/** The result of the work on one cluster, or the error that prevented it. */
export type ClusterOutcome<T> = { cluster: Cluster; value: T } | { cluster: Cluster; error: MusterError };

/**
 * Runs `work` on every cluster in parallel, then closes the connections to its login node. Calls `onOutcome` for each cluster as it
 * finishes. Resolves with the outcomes in the order of `clusters`. A MusterError is a cluster's outcome; any other error (a bug) rejects.
 */
export async function forEachCluster<T>(
  clusters: readonly Cluster[],
  work: (engine: SlurmEngine) => Promise<T>,
  onOutcome: (outcome: ClusterOutcome<T>) => void = () => {},
): Promise<ClusterOutcome<T>[]> {
  const dialer = new Dialer();
  const workOn = async (cluster: Cluster): Promise<ClusterOutcome<T>> => {
    try {
      return { cluster, value: await work(dialer.engineOf(cluster)) };
    } catch (error) {
      if (error instanceof MusterError) return { cluster, error };
      throw error;
    }
  };
  try {
    return await Promise.all(
      clusters.map(async (cluster) => {
        const outcome = await workOn(cluster);
        onOutcome(outcome);
        return outcome;
      }),
    );
  } finally {
    await dialer.closeEngines();
  }
}
