import type { MusterError } from "../schemas/errors.js";
import { forEachNode, type NodeOutcome } from "./eachnode.js";
import { type Facts, gatherFacts } from "./facts.js";
import type { Node } from "./node.js";

/** What a look at a node found: its facts (`hostKey`: type and SHA256 fingerprint, over SSH), or why it cannot be used. */
export type NodeFacts = { node: Node; facts: Facts; hostKey?: string } | { node: Node; error: MusterError };

/**
 * Looks at every node, each over a connection of its own that is closed again, and calls `done` for each as soon as it is known. In the
 * order of `nodes`; never rejects for what nodes do.
 */
export async function gatherAllFacts(nodes: Node[], done: (look: NodeFacts) => void): Promise<NodeFacts[]> {
  const outcomes = await forEachNode(
    nodes,
    async (connection) => ({ facts: await gatherFacts(connection), hostKey: connection.hostKey }),
    (outcome) => done(toNodeFacts(outcome)),
  );
  return outcomes.map(toNodeFacts);
}

function toNodeFacts(outcome: NodeOutcome<{ facts: Facts; hostKey?: string }>): NodeFacts {
  return "error" in outcome ? outcome : { node: outcome.node, ...outcome.value };
}
