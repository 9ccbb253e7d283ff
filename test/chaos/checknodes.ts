import type { LabNode } from "../lab/lab.js";
import { listLeftovers } from "../lab/leftovers.js";
import type { Scenario } from "./scenario.js";
import { workdirOf } from "./testbed.js";

/** Seconds in which connections and processes of a run are gone. */
const QUIET_TIMEOUT_SECONDS = 20;

/** What of muster is left on these nodes, a sentence each. */
export async function nodesProblems(
  scenario: Scenario,
  nodes: LabNode[],
  seconds = QUIET_TIMEOUT_SECONDS,
): Promise<string[]> {
  const found = await Promise.all(nodes.map((node) => nodeProblems(scenario, node, seconds)));
  return found.flat();
}

/**
 * The same of all nodes at the end of a run. One that could not be reached when it ended may hold something: then `muster cancel`
 * must find and remove that.
 */
export async function endProblems(scenario: Scenario): Promise<string[]> {
  const { nodes, copies: places } = scenario;
  const unreached = new Set(places.flatMap((place) => place.findUnreachedNodes()));
  const problems = await nodesProblems(
    scenario,
    nodes.filter(({ name }) => !unreached.has(name)),
  );
  const held = await nodesProblems(
    scenario,
    nodes.filter(({ name }) => unreached.has(name)),
    1,
  );
  if (problems.length + held.length === 0) return [];
  for (const place of places) await scenario.command(["cancel", place.path], scenario.hasConflict ? [0, 3, 75] : [0]);
  const left = await nodesProblems(scenario, nodes);
  return [...problems, ...left.map((problem) => `after muster cancel at the end: ${problem}`)];
}

async function nodeProblems({ plan, nodes }: Scenario, node: LabNode, seconds: number): Promise<string[]> {
  const processes = await node.quiet(seconds);
  const workdir = workdirOf(plan, node, nodes.indexOf(node));
  return [
    ...processes
      .slice(0, 3)
      .map(({ argv }) => `${node.name}: process left: ${argv.join(" ").replace(/\s+/g, " ").slice(0, 120)}`),
    ...listLeftovers(workdir).map((path) => `${node.name}: ${path} is left in its work folder`),
  ];
}
