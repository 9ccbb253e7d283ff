import { MusterError } from "../../schemas/errors.js";
import type { Connection } from "../connection.js";
import { gatherFacts } from "../facts.js";
import type { Node } from "../node.js";
import { SILENT } from "../waitfornodes.js";
import { findBystanders } from "./bystanders.js";
import { type HealContext, type HealOrder, INTERRUPTED } from "./healcontext.js";
import { type PowerCycleCommand, preparePowerCycle } from "./powercycle.js";

/** What a healing acts with: a connection to the node, or a command here. `boot`: the boot id that the node had, where that is known. */
export interface HealBeginning {
  connection?: Connection;
  command?: PowerCycleCommand | undefined;
  boot?: string | undefined;
}

/** Looks at a node again, now that it is drained. `refusal`: why it is not healed. */
export async function confirmHealing(
  node: Node,
  order: HealOrder,
  context: HealContext,
): Promise<HealBeginning | { refusal: string }> {
  try {
    const { settings, folder } = context;
    const command = order.action === "power-cycle" ? preparePowerCycle(node, settings, folder) : undefined;
    return await (order.from === "away" ? confirmAbsence : confirmSickness)(node, command, context);
  } catch (error) {
    if (context.stop.aborted) return { refusal: INTERRUPTED };
    if (!(error instanceof MusterError)) throw error;
    return { refusal: error.reason };
  }
}

async function confirmAbsence(
  node: Node,
  command: PowerCycleCommand | undefined,
  { dialer, stop, store }: HealContext,
): Promise<HealBeginning | { refusal: string }> {
  try {
    const connection = await dialer.connect(node, { signal: stop });
    await connection.close();
    return { refusal: "it answers again" };
  } catch (error) {
    if (!(error instanceof MusterError) || !SILENT.has(error.code)) throw error;
    return { command, boot: store.records.get(node.name)?.boot };
  }
}

async function confirmSickness(
  node: Node,
  command: PowerCycleCommand | undefined,
  { dialer, stop, ownRuns, awaitIdle }: HealContext,
): Promise<HealBeginning | { refusal: string }> {
  const refusal = await awaitIdle(node);
  if (refusal !== undefined) return { refusal };
  const connection = await dialer.connect(node, { signal: stop });
  try {
    const { boot } = await gatherFacts(connection, "without-gpus");
    const bystanders = await findBystanders(connection, ownRuns(node));
    if (bystanders.length === 0) return { connection, command, boot };
    await connection.close();
    return { refusal: bystanders.join("; ") };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
