import type { MusterError } from "../schemas/errors.js";
import { forEachNode, type NodeOutcome } from "./eachnode.js";
import { type Facts, gatherFacts } from "./facts.js";
import type { Node } from "./node.js";

/** The facts of one node, or the error that makes it unusable. `hostKey`: type and SHA256 fingerprint; SSH nodes only. */
export type NodeFacts = { node: Node; facts: Facts; hostKey?: string } | { node: Node; error: MusterError };

/**
 * Gathers the facts of all nodes in parallel, each over its own short-lived connection. Calls `onResult` for each node as soon as its
 * result is known and resolves with the results in the order of `nodes`. A node's failure is a value, never a rejection.
 */
export async function gatherAllFacts(nodes: Node[], onResult: (result: NodeFacts) => void): Promise<NodeFacts[]> {
  const outcomes = await forEachNode(
    nodes,
    async (connection) => ({ facts: await gatherFacts(connection), hostKey: connection.hostKey }),
    (outcome) => onResult(toNodeFacts(outcome)),
  );
  return outcomes.map(toNodeFacts);
}

function toNodeFacts(outcome: NodeOutcome<{ facts: Facts; hostKey?: string }>): NodeFacts {
  return "error" in outcome ? outcome : { node: outcome.node, ...outcome.value };
}
