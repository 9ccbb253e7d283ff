import pRetry from "p-retry";
import type { Connection } from "../connection.js";
import { ConnectionError } from "../connectionerror.js";
import type { Node } from "../node.js";
import { dial } from "./dial.js";
import { DialLimits } from "./diallimits.js";
import { resolveHops } from "./hops.js";
import { SshNodeConnection } from "./nodeconnection.js";
import type { SshConnection } from "./sshconnection.js";
import { SshSettings } from "./sshsettings.js";
import { type SshTimeouts, timeoutsFor } from "./timeouts.js";

/** How often a dial is tried again that a busy server dropped before log-in. */
const MAX_DROPPED_RETRIES = 8;
/** How often one is whose name server gave no answer. */
const MAX_NAME_RETRIES = 2;

/** Connects to nodes over SSH, with what many dials have in common: ssh's configuration, and how many there may be at once. */
export class SshDialer {
  private readonly settings = new SshSettings();
  private readonly limits = new DialLimits();

  /** Rejects with a ConnectionError. */
  async connect(node: Node, patience: SshTimeouts = timeoutsFor(node)): Promise<Connection> {
    const hops = await resolveHops(node, this.settings);
    const dialAgain = () => retryDial(() => dial(node.name, hops, patience, this.limits));
    return new SshNodeConnection(node, await dialAgain(), dialAgain, patience);
  }
}

function retryDial(once: () => Promise<SshConnection>): Promise<SshConnection> {
  return pRetry(once, {
    retries: MAX_DROPPED_RETRIES,
    minTimeout: 250,
    maxTimeout: 3000,
    factor: 1.6,
    randomize: true,
    shouldRetry: ({ error, attemptNumber }) => attemptNumber <= maxRetriesFor(error),
  });
}

/**
 * Only what passes by itself within seconds is tried again. A refused port is an answer, reported at once: who can wait for the machine
 * to come up dials it again. Keys and log-ins are not tried again either: servers penalise those who insist.
 */
function maxRetriesFor(error: Error): number {
  if (!(error instanceof ConnectionError)) return 0;
  if (error.code === "DROPPED") return MAX_DROPPED_RETRIES;
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === "EAI_AGAIN" ? MAX_NAME_RETRIES : 0;
}
