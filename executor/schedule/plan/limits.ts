import type { Node } from "../../../fleet/node.js";
import type { Problem } from "../../../schemas/errors.js";
import type { Bounded } from "../../job/bounded.js";
import type { Job } from "../../job/job.js";
import { refusal } from "../slots/slots.js";

/** What the `limits` of the nodes that may run a job say to its values: `problems` forbid it, `notes` do not. */
export interface LimitFindings {
  problems: Problem[];
  notes: string[];
}

type Limit = { best?: number; max?: number };

/** Nodes of one profile that bound a value alike. */
interface Bound {
  limit: Limit;
  profile: string;
  nodes: string[];
}

/**
 * Judges a job's values by the nodes that its `needs` let it run on. A value above the `max` of any of them is refused,
 * though others would take it: which chunk goes where is not known before, and one that freezes a rig costs all on it.
 */
export function judgeLimits(
  job: Job,
  nodes: Node[],
  selected: (node: Node, patterns: string[]) => boolean,
): LimitFindings {
  const able = nodes.filter((node) => refusal(node, job.needs, selected) === undefined);
  const findings: LimitFindings = { problems: [], notes: [] };
  for (const bounded of job.bounded)
    for (const bound of boundsOn(bounded.name, able)) {
      const { best, max } = bound.limit;
      if (max !== undefined && bounded.value > max) findings.problems.push(tooLarge(bounded, bound, able));
      else if (best !== undefined && bounded.value > best) findings.notes.push(aboveBest(bounded, bound));
    }
  return findings;
}

function boundsOn(name: string, nodes: Node[]): Bound[] {
  const bounds = new Map<string, Bound>();
  for (const node of nodes) {
    const limit = node.profile.limits[name];
    if (limit === undefined) continue;
    const key = JSON.stringify([node.profile.name, limit.best, limit.max]);
    const known = bounds.get(key);
    if (known === undefined) bounds.set(key, { limit, profile: node.profile.name, nodes: [node.name] });
    else known.nodes.push(node.name);
  }
  return [...bounds.values()];
}

function tooLarge(bounded: Bounded, { limit, profile, nodes }: Bound, able: Node[]): Problem {
  const { name, value, place, what } = bounded;
  const message = `${what}: ${value} is more than profile ${profile} is safe with (at most ${limit.max}; ${listed(nodes)}): its host memory runs out while data loads, and it may freeze`;
  const better = limit.best ?? limit.max;
  const measured = limit.best === undefined ? "the most that is safe" : "what measured best there";
  const others = able.filter((node) => value <= (node.profile.limits[name]?.max ?? Infinity));
  const elsewhere =
    others.length === 0
      ? ""
      : `; or keep the job off it with \`needs\` (${listed(others.map((node) => node.name))} may run it)`;
  return { ...place, message, hint: `set ${name} to ${better}, ${measured}${elsewhere}` };
}

function aboveBest({ name, value, what }: Bounded, { limit, profile, nodes }: Bound): string {
  return `${what}: ${value} is more than what measured best with profile ${profile} (${listed(nodes)}): ${limit.best}; a smaller ${name} does more in the same time there`;
}

function listed(names: string[]): string {
  return names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}
