import type { Leftover } from "../executor/run/record/leftovers.js";

const MAX_NAMED_NODES = 5;

/** Returns a line for each reason why nodes may still hold data of a run. `run` is the argument for `muster cancel`. */
export function formatLeftovers(leftovers: Leftover[], run: string): string[] {
  const byReason = new Map<string, string[]>();
  for (const { node, reason = "it was not cleaned" } of leftovers)
    byReason.set(reason, [...(byReason.get(reason) ?? []), node]);
  return [...byReason].flatMap(([reason, nodes]) => {
    const [first = "", ...more] = reason.split("\n");
    const cleaned = nodes.length === 1 ? "it is cleaned when it is" : "they are cleaned when they are";
    return [
      `${formatNodeNames(nodes)} may still hold work of this run: ${first}; ${cleaned} next reached, or by: muster cancel ${run}`,
      ...more.map((line) => `    ${line.trimStart()}`),
    ];
  });
}

/** Returns the names of the nodes, or the first of them and the number of the others. */
export function formatNodeNames(nodes: string[]): string {
  const shown = nodes.slice(0, MAX_NAMED_NODES).join(", ");
  return nodes.length > MAX_NAMED_NODES ? `${shown} and ${nodes.length - MAX_NAMED_NODES} more` : shown;
}
