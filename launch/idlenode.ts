import type { Connection } from "../fleet/connection.js";
import { findComputations, findGpuUsers } from "../fleet/healing/bystanders.js";
import type { Node } from "../fleet/node.js";
import type { AwaitIdle } from "../playbooks/engine/reconcileresource.js";
import { MusterError } from "../schemas/errors.js";
import { awaitUnused } from "./awaitunused.js";
import { drainForProvision, endProvisionDrain } from "./provisiondrain.js";

/** The drains of this file begin so. */
const DRAIN_REASON = "provision: ";

/** What waiting for idle nodes needs. */
export interface IdleTools {
  /** The inventory file. */
  inventory: string;
  /** How long to wait for chunks to end. */
  waitSeconds: number;
  /** Told what happens: the rest of a sentence that begins with the node. */
  report: (node: Node, text: string) => void;
  stop: AbortSignal;
}

/**
 * Returns what drains a node and waits until its chunks have ended, before a resource is changed; it stays drained until `endIdleDrain`. Rejects with
 * SUDO where nobody may look at the processes of others, and with ABANDONED.
 */
export function createAwaitIdle(connection: Connection, tools: IdleTools): AwaitIdle {
  const { node } = connection;
  return async (resource) => {
    const isOurs = await drainForProvision(node, `${DRAIN_REASON}${resource}`, tools.inventory);
    // Without an agent on it, no run can start a chunk there any more.
    if ((await findGpuUsers(connection)).length === 0) return [];
    if (isOurs) tools.report(node, `drained to change ${resource}`);
    const onUsed = (users: string) => tools.report(node, `${resource} is not changed yet: ${users}`);
    try {
      return await awaitUnused(() => findComputations(connection), { ...tools, onUsed });
    } catch (error) {
      if (tools.stop.aborted) throw new MusterError("ABANDONED", "muster was interrupted while it waited for the node");
      throw error;
    }
  };
}

/** Ends the drain for a change, also one of an earlier provision that was killed. Call it while the node's lock is held. */
export async function endIdleDrain(node: Node, { inventory }: Pick<IdleTools, "inventory">): Promise<void> {
  await endProvisionDrain(node, DRAIN_REASON, inventory);
}
