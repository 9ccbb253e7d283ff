import type { Node } from "../../../fleet/node.js";
import type { Job } from "../../job/job.js";
import type { LearnedRates } from "./rates.js";

/**
 * Returns the rate (units a second) of the slowest slot of each node before the node has joined, from earlier runs, else
 * from its profile; nodes without either are left out. Rates learned from tasks do not count units, so jobs of other kinds
 * use the profile alone.
 */
export function expectedRates(job: Job, nodes: Node[], learned: LearnedRates): Map<string, number> {
  const rates = new Map<string, number>();
  for (const [slot, { rate }] of job.kind === "range" ? learned.slots : []) {
    const node = slot.slice(0, slot.lastIndexOf("/"));
    rates.set(node, Math.min(rate, rates.get(node) ?? rate));
  }
  const known = nodes.flatMap(({ name, profile }) => {
    const rate = rates.get(name) ?? profile.rate;
    return rate === undefined ? [] : [[name, rate] as const];
  });
  return new Map(known);
}
