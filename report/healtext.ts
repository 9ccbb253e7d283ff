import type { HealDecision } from "../fleet/healing/decidehealing.js";
import type { HealStep } from "../fleet/healing/healcontext.js";
import type { HealSettings } from "../fleet/healing/healsettings.js";
import type { Node } from "../fleet/node.js";
import { TERMINAL_COLUMNS } from "./columns.js";
import { formatDuration, toOneLine, toPrintableText, wrapText } from "./format.js";

/** Returns a line that says what has happened to a node that is healed or rebooted. */
export function formatHealStep({ node, text }: Pick<HealStep, "node" | "text">): string {
  return toPrintableText([toOneLine(`${node}: ${text}`)]);
}

/** Returns a line that says what is to be done about a node that is not well. */
export function formatHealDecision(decision: HealDecision): string {
  return toPrintableText([toOneLine(`${decision.node}: ${describeDecision(decision)}`)]);
}

/** Returns what `muster provision --heal` would do, a line for each node that is not well. */
export function formatHealPlan(decisions: readonly HealDecision[]): string {
  return decisions.length === 0 ? "nothing to heal" : toPrintableText(decisions.map(formatHealDecision));
}

/** Returns what `heal` of an inventory does about the nodes of a run, in a line or two. */
export function formatHealSettings({ afterSeconds, reboot, mostPerDay }: HealSettings, nodes: readonly Node[]): string {
  const remote = nodes.filter(({ connection }) => connection !== "local");
  const named = remote.filter(({ powerCycle }) => powerCycle === undefined).map(({ name }) => name);
  const unwell = reboot.length === 0 ? "is away" : "is away, or has sick or missing GPUs,";
  const action = reboot.length === 0 ? "power-cycled" : "rebooted or power-cycled";
  const texts = [
    `heal: a node that ${unwell} for ${formatDuration(afterSeconds)} is ${action}, at most ${mostPerDay} times within 24 hours`,
    ...(named.length === 0 ? [] : [`without power_cycle, so only named while away: ${named.join(", ")}`]),
  ];
  return toPrintableText(texts.flatMap((text) => wrapText(text, "  ", TERMINAL_COLUMNS)));
}

function describeDecision(decision: HealDecision): string {
  const { reason } = decision;
  switch (decision.do) {
    case "heal":
      return `${decision.action} (${reason})`;
    case "give up":
      return `drain it (${reason}; ${decision.why})`;
    case "release":
      return "end its drain (it is well again)";
    case "wait":
      return `not yet (${reason}): ${decision.why}`;
    case "leave":
      return `not healed (${reason}): ${decision.why}`;
    default:
      return decision satisfies never;
  }
}
