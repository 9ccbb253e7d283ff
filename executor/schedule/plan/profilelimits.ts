import type { Node } from "../../../fleet/node.js";
import type { Problem } from "../../../schemas/errors.js";
import type { Job, LimitedValue } from "../../job/job.js";

import { findNodeRefusal } from "../slots/nodeslots.js";

/** What the `limits` of the eligible nodes mean for a job's values: `problems` forbid the run, `notes` do not. */
export interface LimitFindings {
  problems: Problem[];
  notes: string[];
}

type ProfileLimit = { best?: number; max?: number };

/** Nodes of one profile with the same limit for a value. */
interface SharedLimit {
  limit: ProfileLimit;
  profile: string;
  nodes: string[];
}

/**
 * Checks a job's values against the limits of the nodes that its `needs` allow. A value above the `max` of any of them is
 * refused even if other nodes would accept it: the placement of chunks is not known beforehand, and a value that freezes a
 * rig costs all work on it.
 */
export function checkLimits(
  job: Job,
  nodes: Node[],
  selected: (node: Node, patterns: readonly string[]) => boolean,
): LimitFindings {
  const eligible = nodes.filter((node) => findNodeRefusal(node, job.needs, selected) === undefined);
  const findings: LimitFindings = { problems: [], notes: [] };
  for (const limited of job.limitedValues)
    for (const shared of groupLimits(limited.name, eligible)) {
      const { best, max } = shared.limit;
      if (max !== undefined && limited.value > max) findings.problems.push(aboveMaxProblem(limited, shared, eligible));
      else if (best !== undefined && limited.value > best) findings.notes.push(aboveBestNote(limited, shared));
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

function aboveMaxProblem(limited: LimitedValue, { limit, profile, nodes }: SharedLimit, eligible: Node[]): Problem {
  const { name, value, place, label } = limited;
  const message = `${label}: ${value} exceeds the safe maximum of profile ${profile} (${limit.max}; ${joinNames(nodes)}): host memory runs out while data loads, and the node may freeze`;
  const better = limit.best ?? limit.max;
  const measured = limit.best === undefined ? "the safe maximum" : "the best measured value";
  const others = eligible.filter((node) => value <= (node.profile.limits[name]?.max ?? Infinity));
  const elsewhere =
    others.length === 0
      ? ""
      : `; or exclude the profile with \`needs\` (${joinNames(others.map((node) => node.name))} can run it)`;
  return { ...place, message, hint: `set ${name} to ${better}, ${measured}${elsewhere}` };
}

function aboveBestNote({ name, value, label }: LimitedValue, { limit, profile, nodes }: SharedLimit): string {
  return `${label}: ${value} exceeds the best measured value of profile ${profile} (${joinNames(nodes)}): ${limit.best}; a smaller ${name} does more work in the same time there`;
}

function joinNames(names: string[]): string {
  return names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}
