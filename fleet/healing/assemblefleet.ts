import type { Dialer } from "../connect.js";
import type { Drains } from "../drains.js";
import type { FleetNode } from "./decidehealing.js";
import type { HealRecords } from "./healrecord.js";
import type { NodeLook } from "./lookatnodes.js";
import { findMachine } from "./thismachine.js";

/** Puts together what is known of the nodes that were looked at. `records`: with these looks. `selected`: those that may be healed. */
export async function assembleFleet(
  looks: readonly NodeLook[],
  records: HealRecords,
  drains: Drains,
  selected: ReadonlySet<string>,
  dialer: Dialer,
): Promise<FleetNode[]> {
  return Promise.all(
    looks.map(async ({ node, condition, boot, obstacles }): Promise<FleetNode> => {
      const record = records.get(node.name) ?? { healings: [] };
      const { id, isThisMachine } = await findMachine(node, dialer, boot ?? record.boot);
      return {
        name: node.name,
        machine: id,
        isThisMachine,
        condition,
        drain: drains.get(node.name),
        canPowerCycle: node.powerCycle !== undefined,
        isSelected: selected.has(node.name),
        obstacles,
        record,
      };
    }),
  );
}
