import { existsSync } from "node:fs";
import { findInventory, type Inventory } from "../fleet/inventory.js";
import { MusterError } from "../schemas/errors.js";

/** Returns the inventory of `-i`, else the one that a run has recorded (a value of `-i`). Throws NO_INVENTORY where that is gone. */
export function findRecordedInventory(recorded: string, option: string | undefined): Inventory {
  if (option !== undefined) return findInventory(option, {}, process.cwd());
  if (recorded === "local" || existsSync(recorded)) return findInventory(recorded, {}, process.cwd());
  throw new MusterError("NO_INVENTORY", `${recorded}, the inventory of this run, does not exist any more`, {
    next: "Name another inventory with -i FILE.",
  });
}
