import type { Inventory } from "../fleet/inventory.js";
import { pluralize } from "../report/format.js";

/** Which inventory is used, in one line; `asked`: it was named. */
export function describeInventory(inventory: Inventory, asked: boolean): string {
  if (inventory.file !== undefined) return `inventory: ${inventory.file}`;
  const machine = inventory.nodes.map((node) => `${node.name}, ${pluralize(node.slots ?? 0, "CPU slot")}`).join();
  return asked
    ? `on this machine alone: ${machine}`
    : `no inventory found (-i FILE), so on this machine alone: ${machine}`;
}
