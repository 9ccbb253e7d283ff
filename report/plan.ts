import type { NodePlan, Plan } from "../executor/schedule/plan/plan.js";
import type { Unplaceable } from "../executor/schedule/plan/planrefusals.js";
import { slotsText } from "../executor/schedule/slots/fold.js";
import { count, duration, plural, rate, textOf } from "./format.js";

/** Tasks that are named one by one. */
const NAMED = 8;

/** A plan, for people. */
export function planText(plan: Plan): string {
  const lines = plan.nodes.flatMap((node) => [nodeLine(node), ...slotLines(node), ...refusalLines(node)]);
  const time =
    plan.seconds === undefined
      ? "time unknown until the first chunks have run"
      : `about ${plural(plan.chunks ?? 0, "chunk")} and ${duration(plan.seconds)}`;
  return textOf([
    `${plan.job}: ${plural(BigInt(plan.units), "unit")}, ${time}`,
    ...lines,
    ...plan.unplaceable.flatMap(pinLines),
    "nothing was run",
  ]);
}

function nodeLine(node: NodePlan): string {
  if (node.refused !== undefined)
    return `  ${node.node}: no work${node.refusals.length === 0 ? `: ${node.refused}` : ""}`;
  const first = `first chunks of ${plural(BigInt(node.chunkUnits), "unit")}`;
  return `  ${node.node}: ${plural(node.slots, "slot")}${speed(node)}, ${first}${expectation(node)}`;
}

function slotLines({ perSlot }: NodePlan): string[] {
  if (perSlot.length < 2 || perSlot.some((slot) => slot.seconds === undefined)) return [];
  return perSlot.map((slot) => `    slot ${slot.slot}${speed(slot)}${expectation(slot)}`);
}

function refusalLines({ refusals }: NodePlan): string[] {
  return refusals.map(({ slots, reason }) => `    ${slotsText(slots)}: no work: ${reason}`);
}

function pinLines({ gpu, chunks, reasons }: Unplaceable): string[] {
  const named = chunks.slice(0, NAMED).join(", ");
  const more = chunks.length > NAMED ? ` and ${chunks.length - NAMED} more` : "";
  const who = `${chunks.length === 1 ? "task" : "tasks"} ${named}${more}`;
  return [`  ${who}: pinned to gpu ${gpu}, which no slot is:`, ...reasons.map((reason) => `    ${reason}`)];
}

/** Tasks have no rate in units, though it may be known how long they take. */
function speed(part: { rate?: number; seconds?: number }): string {
  if (part.rate !== undefined) return `, ${rate(part.rate)}`;
  return part.seconds === undefined ? ", rate unknown" : "";
}

function expectation({ chunks, units, seconds }: { chunks?: number; units?: string; seconds?: number }): string {
  if (chunks === undefined || units === undefined || seconds === undefined) return "";
  return `, about ${plural(chunks, "chunk")} and ${count(BigInt(units))} units, done after ${duration(seconds)}`;
}
