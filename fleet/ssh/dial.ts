import type { Duplex } from "node:stream";
import type { NodeStep } from "../connectionerror.js";
import { chooseAlgorithms } from "./algorithms.js";
import { findCredentials } from "./credentials.js";
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
 * what it has opened.
 */
export async function dial(
  node: string,
  hops: Hop[],
  timeouts: SshTimeouts,
  shared: DialResources,
): Promise<SshConnection> {
  const connections: SshConnection[] = [];
  try {
    for (const [index, hop] of hops.entries()) {
      const last = index === hops.length - 1;
      const where = { node, step: last ? `connect to ${formatHop(hop)}` : `connect to jump host ${formatHop(hop)}` };
      const through = connections.at(-1);
      const connection = await shared.limits.forHop(hop).run(() => connectHop(hop, where, timeouts, shared, through));
      if (through !== undefined) connection.closeAlso(through);
      connections.push(connection);
    }
    return connections.at(-1)!;
  } catch (error) {
    for (const connection of connections) connection.close();
    await Promise.all(connections.map(({ released }) => released));
    throw error;
  }
}

/** Connects to one machine, `through` another connection if given, and logs in. */
async function connectHop(
  hop: Hop,
  where: NodeStep,
  timeouts: SshTimeouts,
  shared: DialResources,
  through: SshConnection | undefined,
): Promise<SshConnection> {
  const login = {
    credentials: await findCredentials(hop, where),
    algorithms: chooseAlgorithms(hop.algorithms, listRecordedTypes(readKnownHosts(hop), nameHost(hop)), where),
  };
  const stream = await (through?.openForward(hop, where, timeouts.loginSeconds) ??
    openStream(hop, where, timeouts.loginSeconds, shared.proxyCommands));
  return shared.limits.handshakes.run(() => logIn(hop, where, timeouts, login, stream));
}

/** Connects to a machine that is dialled from here, through its ProxyCommand or over TCP. Rejects with a ConnectionError. */
async function openStream(hop: Hop, where: NodeStep, seconds: number, proxyCommands: ProxyCommands): Promise<Duplex> {
  if (hop.proxyCommand === undefined) return openSocket(hop, where, hop.connectSeconds ?? seconds);
  return proxyCommands.start(hop.proxyCommand).catch((error) => {
    throw explainLoginError(error, hop, where, { offered: [], unusable: [] });
  });
}

function formatHop(hop: Hop): string {
  return `${hop.user}@${hop.host}:${hop.port}`;
}
