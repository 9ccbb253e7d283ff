import { MusterError } from "../schemas/errors.js";
import { Dialer } from "./connect.js";
import type { Connection } from "./connection.js";
import type { Node } from "./node.js";
import { Semaphore } from "./semaphore.js";

/** What came of one node: what the work there resolved with, or why it could not be done. */
export type NodeOutcome<T> = { node: Node; value: T } | { node: Node; error: MusterError };

/** Nodes at work at once: each is a connection and a process there, and a few milliseconds here. */
const MAX_ACTIVE_NODES = 32;

/** Nodes at work or being dialled: one that does not answer costs a socket, and keeps none of the others waiting. */
const MAX_STARTED_NODES = 256;

/**
 * Does `work` on every node, each as soon as it is connected, over a connection that is closed then; calls `done` for each as it
 * ends. Resolves with the outcomes in the order of `nodes`; rejects only for errors that are not a node's.
 */
export async function forEachNode<T>(
  nodes: Node[],
  work: (connection: Connection) => Promise<T>,
  done: (outcome: NodeOutcome<T>) => void = () => {},
): Promise<NodeOutcome<T>[]> {
  const dialer = new Dialer();
  const [underWay, atWork] = [new Semaphore(MAX_STARTED_NODES), new Semaphore(MAX_ACTIVE_NODES)];
  const onNode = async (node: Node): Promise<NodeOutcome<T>> => {
    let connection: Connection | undefined;
    try {
      const connected = await dialer.connect(node);
      connection = connected;
      return { node, value: await atWork.run(() => work(connected)) };
    } catch (error) {
      if (error instanceof MusterError) return { node, error };
      throw error;
    } finally {
      await connection?.close();
    }
  };
  return Promise.all(
    nodes.map((node) =>
      underWay.run(async () => {
        const outcome = await onNode(node);
        done(outcome);
        return outcome;
      }),
    ),
  );
}
