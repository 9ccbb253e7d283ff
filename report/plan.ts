import type { Plan } from "../executor/schedule/plan.js";
import { count, duration, plural, rate } from "./format.js";

/** A plan, for people. */
export function planText(plan: Plan): string {
  const lines = plan.nodes.map((node) => {
    if (node.refused !== undefined) return `  ${node.node}: no work: ${node.refused}`;
    const speed = node.rate === undefined ? "rate unknown" : rate(node.rate);
    const share = node.units === undefined ? "" : `, about ${count(BigInt(node.units))} units`;
    return `  ${node.node}: ${plural(node.slots, "slot")}, ${speed}, first chunks of ${plural(BigInt(node.chunkUnits), "unit")}${share}`;
  });
  const time =
    plan.seconds === undefined ? "time unknown until the first chunks have run" : `about ${duration(plan.seconds)}`;
  return [`${plan.job}: ${plural(BigInt(plan.units), "unit")}, ${time}`, ...lines, "nothing was run"].join("\n");
}
