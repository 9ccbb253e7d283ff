import { MusterError } from "../../schemas/errors.js";
import type { Node } from "../node.js";
import { awaitReturn } from "./awaitreturn.js";
import { confirmHealing, type HealBeginning } from "./confirmhealing.js";
import { type HealContext, type HealOrder, type HealStepName, INTERRUPTED } from "./healcontext.js";
import { drainForHealing, endHealingDrain } from "./healdrain.js";
import { type Healing, recordHealing } from "./healrecord.js";
import { judgeGpus } from "./lookatnodes.js";
import { runPowerCycle } from "./powercycle.js";
import { reboot } from "./reboot.js";

/**
 * Heals one node: drains it, looks again, writes down that it is healed, reboots or power-cycles it, waits until it answers, provisions it,
 * checks its GPUs, and ends the drain. Returns how it ended; "called off" where it was well again, or others use it, before anything was done.
 * A failed healing leaves the node drained.
 */
export async function healNode(
  node: Node,
  order: HealOrder,
  context: HealContext,
): Promise<"healed" | "failed" | "called off"> {
  const report = (step: HealStepName, text: string) =>
    context.report({ node: node.name, at: new Date().toISOString(), step, text });
  if (!(await drainForHealing(node, `healing (${order.action}): ${order.reason}`, context))) {
    report("called off", "is not healed: somebody has drained it");
    return "called off";
  }
  report("drained", `${order.reason}; drained to ${order.action} it`);
  const beginning = await confirmHealing(node, order, context);
  if ("refusal" in beginning) {
    await endHealingDrain(node, context);
    report("called off", `is not healed: ${beginning.refusal}`);
    return "called off";
  }
  const startedMs = Date.now();
  const healing: Healing = { at: new Date(startedMs).toISOString(), action: order.action, cause: order.reason };
  const save = (one: Healing) => context.store.set(node.name, recordHealing(context.store.records.get(node.name), one));
  save(healing);
  const why = await performHealing(node, order, beginning, context, report).finally(() =>
    beginning.connection?.close(),
  );
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  save({ ...healing, ...(why === undefined ? { outcome: "healed" } : { outcome: "failed", why }), seconds });
  if (why !== undefined) {
    await drainForHealing(node, `healing failed: ${why}`, context);
    report("failed", `healing failed after ${seconds} s: ${why}`);
    return "failed";
  }
  await endHealingDrain(node, context);
  report("healed", `is healed after ${seconds} s, and gets work again`);
  return "healed";
}

/** Returns why the healing failed; undefined where the node is well. */
async function performHealing(
  node: Node,
  order: HealOrder,
  { connection, command, boot }: HealBeginning,
  context: HealContext,
  report: (step: HealStepName, text: string) => void,
): Promise<string | undefined> {
  const startedMs = performance.now();
  try {
    if (command !== undefined) await runPowerCycle(command, context.stop);
    else await reboot(connection!);
    report(
      command === undefined ? "rebooted" : "power-cycled",
      `is ${order.action === "reboot" ? "rebooted" : "power-cycled"}; waiting for it to answer`,
    );
    await connection?.close();
    const back = await awaitReturn(node, boot, context);
    try {
      report("answered", `answers again after ${Math.round((performance.now() - startedMs) / 1000)} s`);
      const failure = await context.provision(back);
      if (failure !== undefined) return `it could not be provisioned: ${failure}`;
      report("provisioned", "is provisioned");
      const condition = judgeGpus(await context.checkGpus(back));
      return condition.kind === "sick" ? condition.reason : undefined;
    } finally {
      await back.close();
    }
  } catch (error) {
    if (context.stop.aborted) return INTERRUPTED;
    if (!(error instanceof MusterError)) throw error;
    return error.reason;
  }
}
