import pRetry from "p-retry";
import type { Connection } from "../connection.js";
import { ConnectionError } from "../errors.js";
import type { Node } from "../node.js";
import { resolveHops } from "./config.js";
import { SshConnection } from "./connection.js";
import { dial } from "./dial.js";
import { DialLimits } from "./limits.js";
import type { Link } from "./link.js";
import { type Patience, patienceOf } from "./patience.js";
import { SshSettings } from "./settings.js";

/** How often a dial is tried again that a busy server dropped before log-in. */
const RETRIES_DROPPED = 8;
/** How often one is whose name server gave no answer. */
const RETRIES_NAME = 2;

/** Connects to nodes over SSH, with what many dials have in common: ssh's configuration, and how many there may be at once. */
export class SshDialer {
  private readonly settings = new SshSettings();
  private readonly limits = new DialLimits();

  /** Rejects with a ConnectionError. */
  async connect(node: Node, patience: Patience = patienceOf(node)): Promise<Connection> {
    const hops = await resolveHops(node, this.settings);
    const dialAgain = () => redial(() => dial(node.name, hops, patience, this.limits));
    return new SshConnection(node, await dialAgain(), dialAgain, patience);
  }
}

function redial(once: () => Promise<Link>): Promise<Link> {
  return pRetry(once, {
    retries: RETRIES_DROPPED,
    minTimeout: 250,
    maxTimeout: 3000,
    factor: 1.6,
    randomize: true,
    shouldRetry: ({ error, attemptNumber }) => attemptNumber <= retriesFor(error),
  });
}

/**
 * Only what passes by itself within seconds is tried again. A refused port is an answer, reported at once: who can wait for the machine
 * to come up dials it again. Keys and log-ins are not tried again either: servers penalise those who insist.
 */
function retriesFor(error: Error): number {
  if (!(error instanceof ConnectionError)) return 0;
  if (error.code === "DROPPED") return RETRIES_DROPPED;
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === "EAI_AGAIN" ? RETRIES_NAME : 0;
}
