import { changeDrains, drainsFilePath, readDrains } from "../fleet/drains.js";
import type { Node } from "../fleet/node.js";

const MAX_REASON_CHARS = 200;

/** Drains a node for a change. A drain that a person or healing has asked for stays as it is; resolves with false then. */
export async function drainForProvision(node: Node, reason: string, inventory: string): Promise<boolean> {
  const nowMs = Date.now();
  const drains = await changeDrains(inventory, nowMs, (before) => {
    const drain = before.get(node.name);
    if (drain !== undefined && !drain.provision) return before;
    return new Map(before).set(node.name, {
      reason: reason.slice(0, MAX_REASON_CHARS),
      since: drain?.since ?? new Date(nowMs).toISOString(),
      provision: true,
    });
  });
  return drains.get(node.name)?.provision === true;
}

/** Ends the drain of a provision whose reason begins so; others stay. Call it only while no other provision can change the node. */
export async function endProvisionDrain(node: Node, prefix: string, inventory: string): Promise<void> {
  if (!findProvisionDrain(node, inventory)?.startsWith(prefix)) return;
  await changeDrains(inventory, Date.now(), (before) =>
    before.get(node.name)?.provision ? new Map([...before].filter(([name]) => name !== node.name)) : before,
  );
}

/** Returns the reason for which a provision has drained a node; undefined where none has. */
export function findProvisionDrain(node: Node, inventory: string): string | undefined {
  const drain = readDrains(drainsFilePath(inventory), Date.now()).get(node.name);
  return drain?.provision ? drain.reason : undefined;
}
