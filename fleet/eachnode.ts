import { MusterError } from "../schemas/errors.js";
import { Dialer } from "./connect.js";
import type { Connection } from "./connection.js";
import type { Node } from "./node.js";
import { Semaphore } from "./semaphore.js";

/** The result of the work on one node, or the error that prevented it. */
export type NodeOutcome<T> = { node: Node; value: T } | { node: Node; error: MusterError };

/** Nodes worked on at once: each has a process of its own and takes a few milliseconds of this machine's processor. */
const MAX_ACTIVE_NODES = 32;

/** Nodes worked on or being dialled at once. A node that does not answer holds a socket only, and delays no other node. */
const MAX_STARTED_NODES = 256;

/**
 * Connects to every node and runs `work` there, in parallel, then closes the connection. Calls `onOutcome` for each node as it finishes.
 * Resolves with the outcomes in the order of `nodes`. A MusterError is a node's outcome; any other error (a bug) rejects.
 */
export async function forEachNode<T>(
  nodes: Node[],
  work: (connection: Connection) => Promise<T>,
  onOutcome: (outcome: NodeOutcome<T>) => void = () => {},
): Promise<NodeOutcome<T>[]> {
  const dialer = new Dialer();
  const [started, active] = [new Semaphore(MAX_STARTED_NODES), new Semaphore(MAX_ACTIVE_NODES)];
  const workOn = async (node: Node): Promise<NodeOutcome<T>> => {
    let connection: Connection | undefined;
    try {
      const connected = await dialer.connect(node);
      connection = connected;
      return { node, value: await active.run(() => work(connected)) };
    } catch (error) {
      if (error instanceof MusterError) return { node, error };
      throw error;
    } finally {
      await connection?.close();
    }
  };
  return Promise.all(
    nodes.map((node) =>
      started.run(async () => {
        const outcome = await workOn(node);
        onOutcome(outcome);
        return outcome;
      }),
    ),
  );
}
