import { existsSync } from "node:fs";
import { findInventory, type Inventory } from "../fleet/inventory.js";
import type { Cluster } from "../fleet/slurm/cluster.js";
import { MusterError } from "../schemas/errors.js";

/** Returns the inventory of `-i`, else the one that a run has recorded (a value of `-i`). Throws NO_INVENTORY where that is gone. */
export function findRecordedInventory(recorded: string, option: string | undefined): Inventory {
  if (option !== undefined) return findInventory(option, {}, process.cwd());
  if (recorded === "local" || existsSync(recorded)) return findInventory(recorded, {}, process.cwd());
  throw new MusterError("NO_INVENTORY", `${recorded}, the inventory of this run, does not exist any more`, {
    next: "Name another inventory with -i FILE.",
  });
}

/** Returns a cluster of that inventory; undefined where the inventory is gone, or has none of that name. */
export function findRecordedCluster(recorded: string, option: string | undefined, name: string): Cluster | undefined {
  try {
    return findRecordedInventory(recorded, option).clusters.find((one) => one.name === name);
  } catch (error) {
    if (error instanceof MusterError && error.code === "NO_INVENTORY") return undefined;
    throw error;
  }
}
