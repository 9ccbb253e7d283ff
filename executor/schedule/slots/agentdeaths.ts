import { type AttemptHistory, countTries } from "./quarantine.js";

/** After this many agent deaths a chunk no longer shares its node. */
const MAX_SHARED_DEATHS = 2;
/** With at most this many tries in all, an agent death uses up the last one even if another chunk may have caused it. */
const MAX_FEW_TRIES = 2;

/** Returns how often the agent died while it ran this chunk and the node stayed up. */
export function countAgentDeaths(history: AttemptHistory): number {
  return history.filter(({ agentDied }) => agentDied === true).length;
}

/**
 * Whether a chunk must have its node to itself: after two agent deaths, or if one more would be its last try. If the agent
 * dies again, no other chunk can have caused it. `attempts`: the tries of the chunk in all.
 */
export function needsExclusiveNode(history: AttemptHistory, attempts: number): boolean {
  const lost = countAgentDeaths(history);
  return lost >= MAX_SHARED_DEATHS || (lost > 0 && countTries(history) >= attempts - 1);
}

/**
 * Whether a chunk that an agent died with has no try left. A chunk that never ran exclusively gets another try, unless it
 * has too few tries for that.
 */
export function isGivenUpAfterDeath(history: AttemptHistory, attempts: number): boolean {
  const ranAlone = history.some(({ wasExclusive }) => wasExclusive === true);
  return countTries(history) >= attempts && (ranAlone || (attempts <= MAX_FEW_TRIES && countAgentDeaths(history) > 0));
}

/** Describes the agent deaths of a chunk that is given up. */
export function describeAgentDeaths(history: AttemptHistory): string {
  const nodes = history.filter(({ agentDied }) => agentDied === true).map(({ node }) => node);
  const others = countTries(history) - nodes.length;
  const when = others === 0 ? "each time it ran" : `in ${nodes.length} of ${countTries(history)} tries`;
  return `its node's agent died ${when} (on ${nodes.join(", ")})`;
}
