import { replayRun } from "../executor/run/record/replay.js";
import { selectNodes } from "../fleet/inventory.js";
import { type FoundNode, findNodeOrPilot } from "../fleet/slurm/findpilot.js";
import { MusterError } from "../schemas/errors.js";
import type { LogsOptions } from "./logsoptions.js";
import { findRecordedInventory } from "./recordedinventory.js";

/** Finds the node of a run with this name, in an inventory that the run has recorded. */
export type FindRunNode = (recorded: string, name: string) => FoundNode | undefined;

/**
 * Returns what finds the nodes of the run in the directory `path` that `--node` selects, in the inventory of `-i` or else the recorded one:
 * undefined for other nodes of the run. A cluster's name selects its pilots. It throws NO_NODE or NO_INVENTORY where a node cannot be
 * found. Throws UsageError where `--node` selects no node of the run.
 */
export function createNodeFilter(path: string, options: Pick<LogsOptions, "inventory" | "node">): FindRunNode {
  const find = (recorded: string, name: string) =>
    findNodeOrPilot(findRecordedInventory(recorded, options.inventory), name);
  if (options.node !== undefined) {
    const known = [...replayRun(path).nodes].flatMap(([recorded, names]) =>
      [...names].flatMap((name) => find(recorded, name) ?? []),
    );
    const nodes = known.map(({ node, cluster }) => (cluster ? { ...node, tags: [...node.tags, cluster.name] } : node));
    const selected = new Set(selectNodes({ nodes }, options.node).map(({ name }) => name));
    return (recorded, name) => (selected.has(name) ? find(recorded, name) : undefined);
  }
  return (recorded, name) => {
    const found = find(recorded, name);
    if (found !== undefined) return found;
    const next = "Name another inventory with -i FILE.";
    throw new MusterError("NO_NODE", "it is not in the inventory any more", { node: name, next });
  };
}
