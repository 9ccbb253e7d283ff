import { setTimeout as wait } from "node:timers/promises";
import { connect } from "./connect.js";
import type { Connection } from "./connection.js";
import { ConnectionError } from "./errors.js";
import type { Node } from "./node.js";

/** What came of one node. */
export type Dialled = { node: Node; connection: Connection } | { node: Node; error: ConnectionError };

/** Dials under way at once: jump hosts and small sshds drop more (MaxStartups). */
const AT_ONCE = 8;

/** Spread of the first dials, in ms. */
const JITTER = 100;

/** Connects to every node. Resolves with one outcome for each, in the order of `nodes`; never rejects for what nodes do. */
export async function connectAll(nodes: Node[], atOnce = AT_ONCE): Promise<Dialled[]> {
  const outcomes: Dialled[] = [];
  const left = nodes.entries();
  const worker = async () => {
    if (nodes.length > 1) await wait(Math.random() * JITTER);
    for (const [index, node] of left) outcomes[index] = await outcome(node);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, nodes.length) }, worker));
  return outcomes;
}

async function outcome(node: Node): Promise<Dialled> {
  try {
    return { node, connection: await connect(node) };
  } catch (error) {
    if (error instanceof ConnectionError) return { node, error };
    throw error;
  }
}
