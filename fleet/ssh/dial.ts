import type { Duplex } from "node:stream";
import type { NodeStep } from "../connectionerror.js";
import type { DialOptions } from "../dialoptions.js";
import { chooseAlgorithms } from "./algorithms.js";
import { findCredentials, findFirstCredentials } from "./credentials.js";
import type { DialLimits } from "./diallimits.js";
import type { Hop } from "./hop.js";
import { readKnownHosts } from "./hostkeys.js";
import { listRecordedTypes, nameHost } from "./knownhosts.js";
import { logIn } from "./login.js";
import { explainLoginError } from "./loginerrors.js";
import type { ProxyCommands } from "./proxycommands.js";
import { openSocket } from "./socket.js";
import type { SshConnection } from "./sshconnection.js";
import type { SshTimeouts } from "./timeouts.js";

/** What all dials of this process share. */
export interface DialResources {
  limits: DialLimits;
  proxyCommands: ProxyCommands;
}

/**
 * Connects to the last of `hops` through those before it, and logs in. Does not retry. Rejects with a ConnectionError after closing
 * what it has opened, and with any error once the signal has fired.
 */
export async function dial(
  node: string,
  hops: Hop[],
  timeouts: SshTimeouts,
  shared: DialResources,
  options: DialOptions = {},
): Promise<SshConnection> {
  const { signal } = options;
  const connections: SshConnection[] = [];
  const abandon = () => {
    for (const connection of connections) connection.drop();
  };
  signal?.addEventListener("abort", abandon);
  try {
    for (const [index, hop] of hops.entries()) {
      const last = index === hops.length - 1;
      const target = last ? { ...hop, firstContact: options.firstContact } : hop;
      const where = { node, step: last ? `connect to ${formatHop(hop)}` : `connect to jump host ${formatHop(hop)}` };
      const through = connections.at(-1);
      const connection = await shared.limits
        .forHop(hop)
        .run(() => connectHop(target, where, timeouts, { ...shared, ...options }, through));
      if (through !== undefined) connection.closeAlso(through);
      connections.push(connection);
    }
    return connections.at(-1)!;
  } catch (error) {
    for (const connection of connections) connection.close();
    await Promise.all(connections.map(({ released }) => released));
    throw error;
  } finally {
    signal?.removeEventListener("abort", abandon);
  }
}

/** Connects to one machine, `through` another connection if given, and logs in. */
async function connectHop(
  hop: Hop,
  where: NodeStep,
  timeouts: SshTimeouts,
  shared: DialResources & DialOptions,
  through: SshConnection | undefined,
): Promise<SshConnection> {
  // It may have waited for its turn.
  shared.signal?.throwIfAborted();
  const login = {
    credentials: await (hop.firstContact === undefined ? findCredentials : findFirstCredentials)(hop, where),
    algorithms: chooseAlgorithms(hop.algorithms, listRecordedTypes(readKnownHosts(hop), nameHost(hop)), where),
  };
  const stream = await (through?.openForward(hop, where, timeouts.loginSeconds) ??
    openStream(hop, where, timeouts.loginSeconds, shared));
  if (through === undefined) shared.onAnswer?.();
  return shared.limits.handshakes.run(() => logIn(hop, where, timeouts, login, stream, shared.signal));
}

/** Connects to a machine that is dialled from here, through its ProxyCommand or over TCP. Rejects with a ConnectionError. */
async function openStream(
  hop: Hop,
  where: NodeStep,
  seconds: number,
  { proxyCommands, signal }: DialResources & DialOptions,
): Promise<Duplex> {
  if (hop.proxyCommand === undefined) return openSocket(hop, where, hop.connectSeconds ?? seconds, signal);
  return proxyCommands.start(hop.proxyCommand).catch((error) => {
    throw explainLoginError(error, hop, where, { offered: [], unusable: [] });
  });
}

function formatHop(hop: Hop): string {
  return `${hop.user}@${hop.host}:${hop.port}`;
}
