import type { Dialer } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import { gatherFacts } from "../fleet/facts.js";
import { awaitReturn } from "../fleet/healing/awaitreturn.js";
import { findWorkers } from "../fleet/healing/bystanders.js";
import { reboot } from "../fleet/healing/reboot.js";
import { findMachine } from "../fleet/healing/thismachine.js";
import type { Node } from "../fleet/node.js";
import { MusterError } from "../schemas/errors.js";
import { awaitUnused } from "./awaitunused.js";
import { drainForProvision, endProvisionDrain, findProvisionDrain } from "./provisiondrain.js";

/** The drains of this file begin so. */
const DRAIN_REASON = "provision --reboot";
const UNHELPED_REASON = `${DRAIN_REASON} did not help`;

/** What reboots of nodes need. */
export interface RebootTools {
  /** The inventory file. */
  inventory: string;
  dialer: Dialer;
  /** How long to wait for work on the node to end, and how long for the node to answer again. */
  waitSeconds: number;
  /** Told what happens: the rest of a sentence that begins with the node. */
  report: (node: Node, text: string) => void;
  stop: AbortSignal;
}

/**
 * Drains a node, waits until nobody would lose work, reboots it, and waits until it answers with another boot id. Resolves with a new connection;
 * `connection` is closed then. `refusal`: why it was not rebooted, and is no longer drained. Rejects with TIMEOUT where it does not come back:
 * then it stays drained.
 */
export async function rebootNode(
  connection: Connection,
  resources: readonly string[],
  tools: RebootTools,
): Promise<{ connection: Connection } | { refusal: string }> {
  const { node } = connection;
  const { boot } = await gatherFacts(connection, "without-gpus");
  const { isThisMachine } = await findMachine(node, tools.dialer, boot);
  if (isThisMachine) return { refusal: "muster runs on this machine" };
  await drainForProvision(node, `${DRAIN_REASON}: ${resources.join(", ")}`, tools.inventory);
  tools.report(node, `drained to reboot it: ${resources.join(", ")}`);
  try {
    const onUsed = (users: string) => tools.report(node, `is not rebooted yet: ${users}`);
    const users = await awaitUnused(() => findWorkers(connection), { ...tools, onUsed });
    if (users.length > 0) return await release(node, users.join("; "), tools);
    await reboot(connection);
  } catch (error) {
    if (tools.stop.aborted) return await release(node, "muster was interrupted", tools);
    if (!(error instanceof MusterError)) throw error;
    return await release(node, error.reason, tools);
  }
  const startedMs = performance.now();
  tools.report(node, `rebooted; waiting for it to answer, at most ${tools.waitSeconds} s`);
  await connection.close();
  const back = await awaitBoot(node, boot, tools);
  tools.report(node, `answers again after ${Math.round((performance.now() - startedMs) / 1000)} s`);
  return { connection: back };
}

/** Ends the drain of a reboot, also one of an earlier provision that was killed. One that a person has asked for stays. */
export async function endRebootDrain(node: Node, { inventory }: Pick<RebootTools, "inventory">): Promise<void> {
  await endProvisionDrain(node, DRAIN_REASON, inventory);
}

/** Keeps a node drained that a reboot has not helped, so that it is not rebooted again and again. */
export async function keepDrained(node: Node, resources: readonly string[], tools: RebootTools): Promise<void> {
  await drainForProvision(node, `${UNHELPED_REASON}: ${resources.join(", ")}`, tools.inventory);
}

/** Whether a reboot has not helped a node, and no person has ended its drain since. */
export function isUnhelped(node: Node, { inventory }: Pick<RebootTools, "inventory">): boolean {
  return findProvisionDrain(node, inventory)?.startsWith(UNHELPED_REASON) ?? false;
}

async function release(node: Node, refusal: string, tools: RebootTools): Promise<{ refusal: string }> {
  await endRebootDrain(node, tools);
  return { refusal };
}

async function awaitBoot(node: Node, boot: string | undefined, tools: RebootTools): Promise<Connection> {
  const { dialer, stop, waitSeconds } = tools;
  try {
    return await awaitReturn(node, boot, { dialer, stop, settings: { waitSeconds } });
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    const why = stop.aborted ? "muster was interrupted before it came back" : error.reason;
    throw new MusterError(error.code, `reboot: ${why}`, {
      node: node.name,
      next: `Look at its screen. It stays drained: once it answers, \`muster provision --reboot --limit ${node.name}\` continues, and ends the drain.`,
    });
  }
}
