import type { Inventory } from "../fleet/inventory.js";
import { pluralize } from "../report/format.js";

/** Returns a line that says which inventory is used. `isNamed`: the command line or the environment names it. */
export function describeInventory(inventory: Inventory, isNamed: boolean): string {
  if (inventory.file !== undefined) return `inventory: ${inventory.file}`;
  const machine = inventory.nodes.map((node) => `${node.name}, ${pluralize(node.slots ?? 0, "CPU slot")}`).join();
  if (isNamed) return `on this machine only: ${machine}`;
  const { unusedFile } = inventory;
  const found = unusedFile === undefined ? "-i FILE" : `there is one above: -i ${unusedFile}`;
  return `no inventory found (${found}); running on this machine only: ${machine}`;
}
