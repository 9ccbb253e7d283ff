import { parseInventory } from "../../../fleet/inventory.js";
import type { Cluster } from "../../../fleet/slurm/cluster.js";
import { parseSource } from "../../../schemas/parsesource.js";

/** Returns the cluster `hpc` of an inventory in which it has these keys (YAML in one line). */
export function createCluster(keys = ""): Cluster {
  const text = `nodes:\n  hpc: {engine: slurm, host: login.uni${keys === "" ? "" : `, ${keys}`}}\n`;
  return parseInventory(parseSource("i.yaml", text), "/cluster/i.yaml").clusters[0]!;
}
