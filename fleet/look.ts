import type { MusterError } from "../schemas/errors.js";
import { type NodeOutcome, onEachNode } from "./eachnode.js";
import { type Facts, gatherFacts } from "./facts.js";
import type { Node } from "./node.js";

/** What a look at a node found: its facts (`hostKey`: type and SHA256 fingerprint, over SSH), or why it cannot be used. */
export type Look = { node: Node; facts: Facts; hostKey?: string } | { node: Node; error: MusterError };

/**
 * Looks at every node, each over a connection of its own that is closed again, and calls `done` for each as soon as it is known. In the
 * order of `nodes`; never rejects for what nodes do.
 */
export async function lookAt(nodes: Node[], done: (look: Look) => void): Promise<Look[]> {
  const outcomes = await onEachNode(
    nodes,
    async (connection) => ({ facts: await gatherFacts(connection), hostKey: connection.hostKey }),
    (outcome) => done(lookOf(outcome)),
  );
  return outcomes.map(lookOf);
}

function lookOf(outcome: NodeOutcome<{ facts: Facts; hostKey?: string }>): Look {
  return "error" in outcome ? outcome : { node: outcome.node, ...outcome.value };
}
