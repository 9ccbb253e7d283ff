import type { Leftover } from "../executor/run/record/leftovers.js";

/** Nodes that one line names. */
const MAX_NAMED_NODES = 5;

/** The nodes that may still hold something of a run though they should not, a line for each reason. `run`: what `muster cancel` takes. */
export function formatLeftovers(leftovers: Leftover[], run: string): string[] {
  const byReason = new Map<string, string[]>();
  for (const { node, reason = "it was not cleaned" } of leftovers)
    byReason.set(reason, [...(byReason.get(reason) ?? []), node]);
  return [...byReason].flatMap(([reason, nodes]) => {
    const [why = "", ...more] = reason.split("\n");
    const it = nodes.length === 1 ? "it is cleaned the next time it is" : "they are cleaned the next time they are";
    return [
      `${formatNodeNames(nodes)} may still hold work of this run: ${why}; ${it} reached, or: muster cancel ${run}`,
      ...more.map((line) => `    ${line.trimStart()}`),
    ];
  });
}

/** The nodes' names, or how many there are beside the first of them. */
export function formatNodeNames(nodes: string[]): string {
  const shown = nodes.slice(0, MAX_NAMED_NODES).join(", ");
  return nodes.length > MAX_NAMED_NODES ? `${shown} and ${nodes.length - MAX_NAMED_NODES} more` : shown;
}
