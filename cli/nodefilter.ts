import { matchesAnyPattern } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { MusterError } from "../schemas/errors.js";
import type { LogsOptions } from "./logsoptions.js";
import { findRecordedInventory } from "./recordedinventory.js";

/**
 * Returns the node of a run with this name, from the inventory of `-i` or else the recorded one; undefined if `--node` does not select it.
 * Throws NO_NODE or NO_INVENTORY where it cannot be found.
 */
export function findSelectedNode(
  recorded: string,
  name: string,
  options: Pick<LogsOptions, "inventory" | "node">,
): Node | undefined {
  const node = findRecordedInventory(recorded, options.inventory).nodes.find((one) => one.name === name);
  const patterns = options.node?.split(",").map((pattern) => pattern.trim());
  if (node === undefined && patterns !== undefined && !patterns.includes(name)) return undefined;
  if (node === undefined)
    throw new MusterError("NO_NODE", "it is not in the inventory any more", {
      node: name,
      next: "Name another inventory with -i FILE.",
    });
  return patterns === undefined || matchesAnyPattern(node, patterns) ? node : undefined;
}
