import { changeDrains } from "../drains.js";
import type { Node } from "../node.js";
import type { HealDecision } from "./decidehealing.js";
import type { HealContext } from "./healcontext.js";

const MAX_REASON_CHARS = 200;

/** Drains a node for its healing. Resolves with false where a person has drained it. */
export async function drainForHealing(
  node: Node,
  reason: string,
  { inventory }: Pick<HealContext, "inventory">,
): Promise<boolean> {
  const nowMs = Date.now();
  const drains = await changeDrains(inventory, nowMs, (before) => {
    const drain = before.get(node.name);
    if (drain !== undefined && !drain.healing) return before;
    return new Map(before).set(node.name, {
      reason: reason.slice(0, MAX_REASON_CHARS),
      since: drain?.since ?? new Date(nowMs).toISOString(),
      healing: true,
    });
  });
  return drains.get(node.name)?.healing === true;
}

/** Ends the drain of healing; one that a person has asked for meanwhile stays. */
export async function endHealingDrain(node: Node, { inventory }: Pick<HealContext, "inventory">): Promise<void> {
  await changeDrains(inventory, Date.now(), (before) =>
    before.get(node.name)?.healing ? new Map([...before].filter(([name]) => name !== node.name)) : before,
  );
}

/** Drains a node that was healed too often, until a person ends that. */
export async function giveUpNode(
  node: Node,
  { reason, why }: Extract<HealDecision, { do: "give up" }>,
  context: Pick<HealContext, "inventory" | "report">,
): Promise<void> {
  const nowMs = Date.now();
  const since = new Date(nowMs).toISOString();
  await changeDrains(context.inventory, nowMs, (before) =>
    new Map(before).set(node.name, { reason: `${why}: ${reason}`.slice(0, MAX_REASON_CHARS), since }),
  );
  const text = `${reason}; ${why}: it stays drained until \`muster undrain ${node.name}\``;
  context.report({ node: node.name, at: since, step: "given up", text });
}

/** Ends the drain of an earlier healing of a node that is well again. */
export async function releaseNode(node: Node, context: Pick<HealContext, "inventory" | "report">): Promise<void> {
  await endHealingDrain(node, context);
  const at = new Date().toISOString();
  context.report({ node: node.name, at, step: "released", text: "is well again, and gets work" });
}
