import { replayRun } from "../executor/run/record/replay.js";
import { selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { MusterError } from "../schemas/errors.js";
import type { LogsOptions } from "./logsoptions.js";
import { findRecordedInventory } from "./recordedinventory.js";

/** Finds the node of a run with this name, in an inventory that the run has recorded. */
export type FindRunNode = (recorded: string, name: string) => Node | undefined;

/**
 * Returns what finds the nodes of the run in the directory `path` that `--node` selects, in the inventory of `-i` or else the recorded one:
 * undefined for other nodes of the run. It throws NO_NODE or NO_INVENTORY where a node cannot be found. Throws UsageError where `--node`
 * selects no node of the run.
 */
export function createNodeFilter(path: string, options: Pick<LogsOptions, "inventory" | "node">): FindRunNode {
  const find = (recorded: string, name: string) =>
    findRecordedInventory(recorded, options.inventory).nodes.find((one) => one.name === name);
  if (options.node !== undefined) {
    const nodes = [...replayRun(path).nodes].flatMap(([recorded, names]) =>
      [...names].flatMap((name) => find(recorded, name) ?? []),
    );
    const selected = new Set(selectNodes({ nodes }, options.node).map(({ name }) => name));
    return (recorded, name) => (selected.has(name) ? find(recorded, name) : undefined);
  }
  return (recorded, name) => {
    const node = find(recorded, name);
    if (node !== undefined) return node;
    const next = "Name another inventory with -i FILE.";
    throw new MusterError("NO_NODE", "it is not in the inventory any more", { node: name, next });
  };
}
