import { replayRun } from "../executor/run/record/replay.js";
import type { Node } from "../fleet/node.js";
import { isSelected, selectFleet } from "../fleet/selectnodes.js";
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
  const { node: limit } = options;
  if (limit !== undefined) {
    const replay = replayRun(path);
    const machines = [...replay.nodes].flatMap(([inventory, names]) => [...names].map((node) => ({ node, inventory })));
    const pilots = [...replay.pilots.nodes.values()];
    const nodes = [...machines, ...pilots].flatMap(({ node, inventory }) => {
      const found = find(inventory, node);
      return found === undefined ? [] : [tagPilot(found)];
    });
    const clusters = [...replay.nodes.keys()].flatMap((one) => findRecordedInventory(one, options.inventory).clusters);
    selectFleet({ nodes, clusters }, limit);
    return (recorded, name) => {
      const found = find(recorded, name);
      return found !== undefined && isSelected(tagPilot(found), limit) ? found : undefined;
    };
  }
  return (recorded, name) => {
    const found = find(recorded, name);
    if (found !== undefined) return found;
    const next = "Name another inventory with -i FILE.";
    throw new MusterError("NO_NODE", "it is not in the inventory any more", { node: name, next });
  };
}

/** Returns the node, so that the name of its cluster selects it, too. */
function tagPilot({ node, cluster }: FoundNode): Node {
  return cluster === undefined ? node : { ...node, tags: [...node.tags, cluster.name] };
}
