import type { MusterError } from "../schemas/errors.js";
import { checkFileService } from "./checkfileservice.js";
import type { Connection } from "./connection.js";
import { forEachNode, type NodeOutcome } from "./eachnode.js";
import { type Facts, gatherFacts } from "./facts.js";
import type { GpuHealth } from "./gpus/gpuhealth.js";
import type { Node } from "./node.js";

/** The facts about a node that can be used. `hostKey`: type and SHA256 fingerprint; SSH nodes only. `gpuHealth`: of each vendor's GPUs. */
interface GatheredFacts {
  facts: Facts;
  hostKey?: string;
  gpuHealth: readonly GpuHealth[];
}

/** The facts of one node, or the error that makes it unusable. */
export type NodeFacts = ({ node: Node } & GatheredFacts) | { node: Node; error: MusterError };

/**
 * Gathers the facts of all nodes in parallel, each over its own short-lived connection, and checks their GPUs with `checkGpus`. Calls
 * `onResult` for each node as soon as its result is known and resolves with the results in the order of `nodes`. A node's failure is a
 * value, never a rejection.
 */
export async function gatherAllFacts(
  nodes: Node[],
  checkGpus: (connection: Connection) => Promise<GpuHealth[]>,
  onResult: (result: NodeFacts) => void,
): Promise<NodeFacts[]> {
  const gather = async (connection: Connection): Promise<GatheredFacts> => {
    const facts = await gatherFacts(connection);
    await checkFileService(connection);
    return { facts, hostKey: connection.hostKey, gpuHealth: await checkGpus(connection) };
  };
  const outcomes = await forEachNode(nodes, gather, (outcome) => onResult(toNodeFacts(outcome)));
  return outcomes.map(toNodeFacts);
}

function toNodeFacts(outcome: NodeOutcome<GatheredFacts>): NodeFacts {
  return "error" in outcome ? outcome : { node: outcome.node, ...outcome.value };
}
