import pRetry from "p-retry";
import type { Connection } from "../connection.js";
import { ConnectionError } from "../connectionerror.js";
import type { DialOptions } from "../dialoptions.js";
import type { Node } from "../node.js";
import { dial } from "./dial.js";
import { DialLimits } from "./diallimits.js";
import { resolveHops } from "./hops.js";
import { SshNodeConnection } from "./nodeconnection.js";
import { ProxyCommands } from "./proxycommands.js";
import { findUsablePublicKey, type PublicKey } from "./publickey.js";
import type { SshConnection } from "./sshconnection.js";
import { SshSettings } from "./sshsettings.js";
import { type SshTimeouts, timeoutsFor } from "./timeouts.js";

/** Retries of a dial that a busy server dropped before log-in. */
const MAX_DROPPED_RETRIES = 8;
/** Retries of a dial for which the name server did not answer. */
const MAX_NAME_RETRIES = 2;

/** Where and as whom a node is logged in to, as ~/.ssh/config resolves it. */
export interface NodeLogin {
  user: string;
  host: string;
  port: number;
}

/** Connects to nodes over SSH. All dials share the ssh configuration and the concurrency limits. */
export class SshDialer {
  private readonly settings = new SshSettings();
  private readonly shared = { limits: new DialLimits(), proxyCommands: new ProxyCommands() };

  /** Connects to a node. Rejects with a ConnectionError. */
  async connect(node: Node, timeouts: SshTimeouts = timeoutsFor(node), options: DialOptions = {}): Promise<Connection> {
    const { signal, firstContact } = options;
    const again = { signal, firstContact };
    try {
      const hops = await resolveHops(node, this.settings);
      const dialWith = (how: DialOptions) => retryDial(() => dial(node.name, hops, timeouts, this.shared, how), signal);
      return new SshNodeConnection(node, await dialWith(options), () => dialWith(again), timeouts);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
      const where = { node: node.name, step: "connect" };
      throw new ConnectionError("ABANDONED", where, "it is not needed any more", { cause: error });
    }
  }

  /** Returns where and as whom a node is logged in to. Rejects with a ConnectionError (CONFIG). */
  async loginOf(node: Node): Promise<NodeLogin> {
    const { user, host, port } = (await resolveHops(node, this.settings)).at(-1)!;
    return { user, host, port };
  }

  /** Finds the public key of the first key that can log in to a node. undefined: there is none. Rejects with a ConnectionError (CONFIG). */
  async findPublicKey(node: Node): Promise<PublicKey | undefined> {
    return findUsablePublicKey((await resolveHops(node, this.settings)).at(-1)!);
  }

  /** Returns the name or address of a node's machine, as ~/.ssh/config resolves it. Rejects with a ConnectionError (CONFIG). */
  async hostOf(node: Node): Promise<string> {
    return (await resolveHops(node, this.settings)).at(-1)!.host;
  }
}

function retryDial(once: () => Promise<SshConnection>, signal: AbortSignal | undefined): Promise<SshConnection> {
  return pRetry(once, {
    signal,
    retries: MAX_DROPPED_RETRIES,
    minTimeout: 250,
    maxTimeout: 3000,
    factor: 1.6,
    randomize: true,
    shouldRetry: ({ error, attemptNumber }) => attemptNumber <= maxRetriesFor(error),
  });
}

/**
 * Only errors that pass by themselves within seconds are retried. A refused port is reported at once; a caller that can wait for the
 * machine to boot dials again. A failed log-in is not retried either, because servers penalise repeated failures.
 */
function maxRetriesFor(error: Error): number {
  if (!(error instanceof ConnectionError)) return 0;
  if (error.code === "DROPPED") return MAX_DROPPED_RETRIES;
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === "EAI_AGAIN" ? MAX_NAME_RETRIES : 0;
}
