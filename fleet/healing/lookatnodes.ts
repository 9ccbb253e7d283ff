import { MusterError } from "../../schemas/errors.js";
import type { Connection } from "../connection.js";
import { forEachNode } from "../eachnode.js";
import { gatherFacts } from "../facts.js";
import { type GpuHealth, isAbsence } from "../gpus/gpuhealth.js";
import type { Node } from "../node.js";
import { SILENT } from "../waitfornodes.js";
import { findBystanders } from "./bystanders.js";
import type { NodeCondition } from "./healrecord.js";

/** Checks the GPUs of a node, those of each vendor; rejects with LOST. */
export type CheckGpus = (connection: Connection) => Promise<GpuHealth[]>;

/** What a look at a node has found. `boot`: its boot id. `obstacles`: see FleetNode. */
export interface NodeLook {
  node: Node;
  condition: NodeCondition;
  boot?: string;
  obstacles: string[];
}

/** Looks at nodes, side by side, and calls `onLook` after each. Resolves in their order. */
export async function lookAtNodes(
  nodes: Node[],
  checkGpus: CheckGpus,
  onLook: (node: Node) => void = () => {},
): Promise<NodeLook[]> {
  const work = (connection: Connection) => lookAtNode(connection, checkGpus);
  const outcomes = await forEachNode(nodes, work, ({ node }) => onLook(node));
  return outcomes.map((outcome): NodeLook => {
    if ("value" in outcome) return outcome.value;
    const { node, error } = outcome;
    const kind = SILENT.has(error.code) ? "away" : "refused";
    return { node, condition: { kind, reason: error.reason }, obstacles: [] };
  });
}

/** A node that can be logged in to and then does not answer is not away: it may be busy with the work of others. */
async function lookAtNode(connection: Connection, checkGpus: CheckGpus): Promise<NodeLook> {
  const { node } = connection;
  try {
    const { boot } = await gatherFacts(connection, "without-gpus");
    const condition = judgeGpus(await checkGpus(connection));
    return { node, condition, boot, obstacles: condition.kind === "sick" ? await findObstacles(connection) : [] };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { node, condition: { kind: "refused", reason: error.reason }, obstacles: [] };
  }
}

async function findObstacles(connection: Connection): Promise<string[]> {
  try {
    return await findBystanders(connection, []);
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return [error.reason];
  }
}

/** Returns the condition of a node that answers, by its GPUs. One that is there and sick counts more than one that is missing. Pure. */
export function judgeGpus(healths: readonly Pick<GpuHealth, "sick">[]): NodeCondition {
  return judgeSickness(healths.flatMap(({ sick }) => [...sick.values()]));
}

/** The same, by the reasons why its GPUs are sick. Pure. */
export function judgeSickness(reasons: readonly string[]): NodeCondition {
  const present = reasons.find((reason) => !isAbsence(reason));
  const first = present ?? reasons[0];
  if (first === undefined) return { kind: "well" };
  const more = reasons.length > 1 ? `; and ${reasons.length - 1} more` : "";
  return { kind: "sick", reason: `${first}${more}`, cause: present === undefined ? "missing-gpu" : "sick-gpu" };
}
