import type { Node } from "../../../fleet/node.js";
import type { Problem } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import type { LimitedValue } from "../../job/limitedvalues.js";
import { findNodeRefusal } from "../slots/nodeslots.js";

/** What the `limits` of the nodes that may run a job say to its values: `problems` forbid it, `notes` do not. */
export interface LimitFindings {
  problems: Problem[];
  notes: string[];
}

type ProfileLimit = { best?: number; max?: number };

/** Nodes of one profile that bound a value alike. */
interface SharedLimit {
  limit: ProfileLimit;
  profile: string;
  nodes: string[];
}

/**
 * Judges a job's values by the nodes that its `needs` let it run on. A value above the `max` of any of them is refused,
 * though others would take it: which chunk goes where is not known before, and one that freezes a rig costs all on it.
 */
export function checkLimits(
  job: Job,
  nodes: Node[],
  selected: (node: Node, patterns: string[]) => boolean,
): LimitFindings {
  const able = nodes.filter((node) => findNodeRefusal(node, job.needs, selected) === undefined);
  const findings: LimitFindings = { problems: [], notes: [] };
  for (const bounded of job.limitedValues)
    for (const bound of groupLimits(bounded.name, able)) {
      const { best, max } = bound.limit;
      if (max !== undefined && bounded.value > max) findings.problems.push(aboveMaxProblem(bounded, bound, able));
      else if (best !== undefined && bounded.value > best) findings.notes.push(aboveBestNote(bounded, bound));
    }
  return findings;
}

function groupLimits(name: string, nodes: Node[]): SharedLimit[] {
  const bounds = new Map<string, SharedLimit>();
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

function aboveMaxProblem(bounded: LimitedValue, { limit, profile, nodes }: SharedLimit, able: Node[]): Problem {
  const { name, value, place, label: what } = bounded;
  const message = `${what}: ${value} is more than profile ${profile} is safe with (at most ${limit.max}; ${joinNames(nodes)}): its host memory runs out while data loads, and it may freeze`;
  const better = limit.best ?? limit.max;
  const measured = limit.best === undefined ? "the most that is safe" : "what measured best there";
  const others = able.filter((node) => value <= (node.profile.limits[name]?.max ?? Infinity));
  const elsewhere =
    others.length === 0
      ? ""
      : `; or keep the job off it with \`needs\` (${joinNames(others.map((node) => node.name))} may run it)`;
  return { ...place, message, hint: `set ${name} to ${better}, ${measured}${elsewhere}` };
}

function aboveBestNote({ name, value, label: what }: LimitedValue, { limit, profile, nodes }: SharedLimit): string {
  return `${what}: ${value} is more than what measured best with profile ${profile} (${joinNames(nodes)}): ${limit.best}; a smaller ${name} does more in the same time there`;
}

function joinNames(names: string[]): string {
  return names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}
