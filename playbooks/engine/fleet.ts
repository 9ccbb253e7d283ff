import { Gate } from "../../executor/run/results/gate.js";
import { connect } from "../../fleet/connect.js";
import type { Connection } from "../../fleet/connection.js";
import type { Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import type { Inspection } from "./inspect.js";

/** What came of one node. `skipped`: why there was nothing to do. */
export type NodeReport =
  | { node: Node; inspection: Inspection }
  | { node: Node; skipped: string }
  | { node: Node; error: MusterError };

export type Told = Inspection | { skipped: string };

/** Nodes at work at once: each is a connection and a python there, and a few milliseconds here. */
const AT_ONCE = 32;

/**
 * Does `work` on every node, each as soon as it is connected, and tells of each as it is done. Resolves with a report for each, in
 * the order of `nodes`; a node that cannot be reached is told in its own report.
 */
export async function onEvery(
  nodes: Node[],
  work: (connection: Connection) => Promise<Told>,
  done: (report: NodeReport) => void,
): Promise<NodeReport[]> {
  const gate = new Gate(AT_ONCE);
  return Promise.all(
    nodes.map((node) =>
      gate.pass(async () => {
        const report = await workOn(node, work);
        done(report);
        return report;
      }),
    ),
  );
}

async function workOn(node: Node, work: (connection: Connection) => Promise<Told>): Promise<NodeReport> {
  let connection: Connection | undefined;
  try {
    connection = await connect(node);
    const told = await work(connection);
    return "skipped" in told ? { node, ...told } : { node, inspection: told };
  } catch (error) {
    if (error instanceof MusterError) return { node, error };
    throw error;
  } finally {
    await connection?.close();
  }
}
