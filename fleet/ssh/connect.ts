import pRetry from "p-retry";
import type { Connection } from "../connection.js";
import { type ConnectionCode, ConnectionError } from "../errors.js";
import type { Node } from "../node.js";
import { resolveHops } from "./config.js";
import { SshConnection } from "./connection.js";
import { dial } from "./dial.js";
import type { Link } from "./link.js";
import { type Patience, patienceOf } from "./patience.js";

/** How often each kind of trouble is tried again. Keys and log-ins are not: servers penalise those who insist. */
const RETRIES: Partial<Record<ConnectionCode, number>> = { DROPPED: 8, UNREACHABLE: 2 };

/** Connects to a node over SSH. Rejects with a ConnectionError. */
export async function connectSsh(node: Node, patience: Patience = patienceOf(node)): Promise<Connection> {
  const hops = await resolveHops(node);
  const dialAgain = () => redial(() => dial(node.name, hops, patience));
  return new SshConnection(node, await dialAgain(), dialAgain, patience);
}

function redial(once: () => Promise<Link>): Promise<Link> {
  return pRetry(once, {
    retries: Math.max(...Object.values(RETRIES)),
    minTimeout: 250,
    maxTimeout: 3000,
    factor: 1.6,
    randomize: true,
    shouldRetry: ({ error, attemptNumber }) =>
      error instanceof ConnectionError && attemptNumber <= (RETRIES[error.code] ?? 0),
  });
}
