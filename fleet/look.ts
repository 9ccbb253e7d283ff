import { MusterError } from "../schemas/errors.js";
import type { Connection } from "./connection.js";
import { connectAll } from "./dials.js";
import { type Facts, gatherFacts } from "./facts.js";
import type { Node } from "./node.js";

/** What a look at a node found: its facts (`hostKey`: type and SHA256 fingerprint, over SSH), or why it cannot be used. */
export type Look = { node: Node; facts: Facts; hostKey?: string } | { node: Node; error: MusterError };

/** Looks at every node, each over a connection of its own that is closed again. In the order of `nodes`; never rejects for what nodes do. */
export async function lookAt(nodes: Node[]): Promise<Look[]> {
  const dialled = await connectAll(nodes);
  return Promise.all(dialled.map((one) => ("error" in one ? one : look(one.connection))));
}

async function look(connection: Connection): Promise<Look> {
  const { node, hostKey } = connection;
  try {
    return { node, facts: await gatherFacts(connection), hostKey };
  } catch (error) {
    if (error instanceof MusterError) return { node, error };
    throw error;
  } finally {
    await connection.close();
  }
}
