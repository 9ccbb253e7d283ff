import { existsSync } from "node:fs";
import type { LabNode } from "../lab/lab.js";
import type { Scene } from "./scene.js";
import { workdirOf } from "./testbed.js";

/** Seconds in which connections and processes of a run are gone. */
const QUIET_WITHIN = 20;

/** What of muster is left on the nodes, a sentence each. */
export async function nodesProblems(scene: Scene): Promise<string[]> {
  const found = await Promise.all(scene.nodes.map((node, index) => nodeProblems(scene, node, index, QUIET_WITHIN)));
  return found.flat();
}

/**
 * The same at the end of a run. A node that could not be reached when it ended may hold something: then `muster cancel` must find
 * and remove that.
 */
export async function endProblems(scene: Scene): Promise<string[]> {
  const unreached = new Set(scene.places.flatMap((place) => place.unreachedNodes()));
  const found = await Promise.all(
    scene.nodes.map((node, index) => nodeProblems(scene, node, index, unreached.has(node.name) ? 1 : QUIET_WITHIN)),
  );
  const problems = found.filter((_, index) => !unreached.has(scene.nodes[index]!.name)).flat();
  if (found.every((some) => some.length === 0)) return [];
  for (const place of scene.places) await scene.command(["cancel", place.path]);
  return [...problems, ...(await nodesProblems(scene)).map((problem) => `after muster cancel at the end: ${problem}`)];
}

async function nodeProblems(scene: Scene, node: LabNode, index: number, seconds: number): Promise<string[]> {
  const processes = await node.quiet(seconds);
  const workdir = workdirOf(scene.plan, node, index);
  return [
    ...processes.slice(0, 3).map(({ argv }) => `${node.name}: process left: ${argv.join(" ").slice(0, 120)}`),
    ...(existsSync(workdir) ? [`${node.name}: its work folder is left`] : []),
  ];
}
