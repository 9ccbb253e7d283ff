import { type AttemptHistory, countTries } from "./quarantine.js";

/** After so many losses a chunk no longer shares its node. */
const MAX_SHARED_DEATHS = 2;
/** With so few tries in all, a loss uses the last one up even where other chunks may have caused it. */
const MAX_FEW_TRIES = 2;

/** Times that a chunk was lost because the agent that ran it died, while its node stayed up. */
export function countAgentDeaths(history: AttemptHistory): number {
  return history.filter(({ agentDied }) => agentDied === true).length;
}

/**
 * Whether a chunk must have its node to itself: after two losses, or when one more loss would be its last. Whatever kills the
 * agent then is the chunk itself, and not one that runs beside it. `attempts`: its tries in all.
 */
export function needsExclusiveNode(history: AttemptHistory, attempts: number): boolean {
  const lost = countAgentDeaths(history);
  return lost >= MAX_SHARED_DEATHS || (lost > 0 && countTries(history) >= attempts - 1);
}

/** Whether a chunk has no try left after its losses. One that never ran alone has, unless its tries are too few for that. */
export function isGivenUpAfterDeath(history: AttemptHistory, attempts: number): boolean {
  const ranAlone = history.some((setback) => setback.agentDied === true && setback.wasExclusive === true);
  return countTries(history) >= attempts && (ranAlone || (attempts <= MAX_FEW_TRIES && countAgentDeaths(history) > 0));
}

/** Why a chunk that is given up after a loss has failed. */
export function describeAgentDeaths(history: AttemptHistory): string {
  const nodes = history.filter(({ agentDied }) => agentDied === true).map(({ node }) => node);
  const others = countTries(history) - nodes.length;
  const when = others === 0 ? "each time it ran" : `in ${nodes.length} of ${countTries(history)} tries`;
  return `its node's agent died ${when} (on ${nodes.join(", ")})`;
}
