import type { Leftover } from "../record/leftovers.js";

const ADDRESS = "slurm:";

/** Returns the record of a pilot that may still exist. `node`: its name in the run. */
export function createLeftPilot(node: string, inventory: string, reason: string): Leftover {
  return { node, inventory, address: `${ADDRESS}${node}`, reason };
}

/** Whether what is left of a run is a pilot, which its cluster can end, and not a machine. */
export function isLeftPilot({ address }: Leftover): boolean {
  return address?.startsWith(ADDRESS) === true;
}
