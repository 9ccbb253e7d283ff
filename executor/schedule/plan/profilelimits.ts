import { listProfiles } from "../../../fleet/gpus/gpugroups.js";
import type { Node, Profile } from "../../../fleet/node.js";
import type { Problem } from "../../../schemas/errors.js";
import type { Job, LimitedValue } from "../../job/job.js";
import { findNodeRefusal, findProfileRefusal, type NodeMatcher } from "../slots/nodeslots.js";

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
export function checkLimits(job: Job, nodes: Node[], isSelected: NodeMatcher): LimitFindings {
  const eligible = nodes
    .filter((node) => findNodeRefusal(node, job.needs, isSelected) === undefined)
    .flatMap((node) => listEligible(node, job));
  const findings: LimitFindings = { problems: [], notes: [] };
  for (const limited of job.limitedValues)
    for (const shared of groupLimits(limited.name, eligible)) {
      const { best, max } = shared.limit;
      if (max !== undefined && limited.value > max) findings.problems.push(aboveMaxProblem(limited, shared, eligible));
      else if (best !== undefined && limited.value > best) findings.notes.push(aboveBestNote(limited, shared));
    }
  return findings;
}

/** GPUs of a node, or a node without any, that chunks of the job may run on. */
interface EligibleProfile {
  node: string;
  profile: Profile;
}

function listEligible(node: Node, { needs }: Job): EligibleProfile[] {
  return listProfiles(node)
    .filter((profile) => findProfileRefusal(profile, needs) === undefined)
    .map((profile) => ({ node: node.name, profile }));
}

function groupLimits(name: string, eligible: EligibleProfile[]): SharedLimit[] {
  const bounds = new Map<string, SharedLimit>();
  for (const { node, profile } of eligible) {
    const limit = profile.limits[name];
    if (limit === undefined) continue;
    const key = JSON.stringify([profile.name, limit.best, limit.max]);
    const known = bounds.get(key);
    if (known === undefined) bounds.set(key, { limit, profile: profile.name, nodes: [node] });
    else if (!known.nodes.includes(node)) known.nodes.push(node);
  }
  return [...bounds.values()];
}

function aboveMaxProblem(
  limited: LimitedValue,
  { limit, profile, nodes }: SharedLimit,
  eligible: EligibleProfile[],
): Problem {
  const { name, value, place, label } = limited;
  const message = `${label}: ${value} exceeds the safe maximum of profile ${profile} (${limit.max}; ${joinNames(nodes)}): host memory runs out while data loads, and the node may freeze`;
  const better = limit.best ?? limit.max;
  const measured = limit.best === undefined ? "the safe maximum" : "the best measured value";
  const able = eligible.filter((one) => value <= (one.profile.limits[name]?.max ?? Infinity));
  const others = [...new Set(able.map(({ node }) => node))];
  const elsewhere =
    others.length === 0 ? "" : `; or exclude the profile with \`needs\` (${joinNames(others)} can run it)`;
  return { ...place, message, hint: `set ${name} to ${better}, ${measured}${elsewhere}` };
}

function aboveBestNote({ name, value, label }: LimitedValue, { limit, profile, nodes }: SharedLimit): string {
  return `${label}: ${value} exceeds the best measured value of profile ${profile} (${joinNames(nodes)}): ${limit.best}; a smaller ${name} does more work in the same time there`;
}

function joinNames(names: string[]): string {
  return names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}
