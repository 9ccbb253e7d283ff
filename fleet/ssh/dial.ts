import type { Duplex } from "node:stream";
import type { Client, ClientChannel, ConnectConfig } from "ssh2";
import SftpClient from "ssh2-sftp-client";
import type { ConnectionError, NodeStep } from "../connectionerror.js";
import { coalesceWrites } from "./coalescewrites.js";
import { type Credentials, findCredentials } from "./credentials.js";
import type { DialLimits } from "./diallimits.js";
import type { Hop } from "./hops.js";
import { checkHostKey, readKnownHosts } from "./hostkeys.js";
import { formatKeyFingerprint, listRecordedTypes, orderAlgorithms, readKeyType } from "./knownhosts.js";
import { explainLoginError } from "./loginerrors.js";
import { openSocket } from "./socket.js";
import { SshConnection } from "./sshconnection.js";
import type { SshTimeouts } from "./timeouts.js";

/**
 * Connects to the last of `hops` through those before it, and logs in. Does not retry. Rejects with a ConnectionError after closing
 * what it has opened.
 */
export async function dial(
  node: string,
  hops: Hop[],
  timeouts: SshTimeouts,
  limits: DialLimits,
): Promise<SshConnection> {
  const connections: SshConnection[] = [];
  try {
    for (const [index, hop] of hops.entries()) {
      const last = index === hops.length - 1;
      const where = { node, step: last ? `connect to ${formatHop(hop)}` : `connect to jump host ${formatHop(hop)}` };
      const through = connections.at(-1);
      const connection = await limits.forAddress(hop).run(() => connectHop(hop, where, timeouts, limits, through));
      if (through !== undefined) void connection.closed.then(() => through.close());
      connections.push(connection);
    }
    return connections.at(-1)!;
  } catch (error) {
    for (const connection of connections) connection.close();
    throw error;
  }
}

/** Connects to one machine, `through` another connection if given, and logs in. */
async function connectHop(
  hop: Hop,
  where: NodeStep,
  timeouts: SshTimeouts,
  limits: DialLimits,
  through: SshConnection | undefined,
): Promise<SshConnection> {
  const credentials = await findCredentials(hop, where);
  const sock = await (through?.openForward(hop, where, timeouts.loginSeconds) ??
    openSocket(hop, where, timeouts.loginSeconds));
  return limits.handshakes.run(() => logIn(hop, where, timeouts, credentials, sock));
}

async function logIn(
  hop: Hop,
  where: NodeStep,
  timeouts: SshTimeouts,
  credentials: Credentials,
  stream: Duplex,
): Promise<SshConnection> {
  // The socket closed while this handshake waited for its turn.
  if (stream.destroyed)
    throw explainLoginError(stream.errored ?? new Error("connection closed"), hop, where, credentials);
  const client = newClient(where.node);
  let hostKeyError: ConnectionError | undefined;
  const sock = coalesceWrites(stream);
  const connection = new SshConnection(where.node, client, sock);
  const config: ConnectConfig = {
    sock: sock as ClientChannel,
    username: hop.user,
    readyTimeout: timeouts.loginSeconds * 1000,
    keepaliveInterval: timeouts.keepaliveSeconds * 1000,
    keepaliveCountMax: 3,
    authHandler: credentials.methods,
    algorithms: {
      serverHostKey: orderAlgorithms(listRecordedTypes(readKnownHosts(hop), hop.hostKeyAlias ?? hop.host, hop.port)),
    },
    hostVerifier: (key: Buffer) => {
      const check = checkHostKey(hop, where, key);
      if (check.ok) connection.hostKey = `${readKeyType(key)} ${formatKeyFingerprint(key)}`;
      else hostKeyError = check.error;
      return check.ok;
    },
  };
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      void connection.closed.then((reason) =>
        reject(hostKeyError ?? explainLoginError(connection.error ?? new Error(reason), hop, where, credentials)),
      );
      client.connect(config);
    });
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Returns the SSH client of a new SFTP client, whose permanent listeners keep a late error from becoming an unhandled one. */
function newClient(name: string): Client {
  const silent = { error: () => {}, end: () => {}, close: () => {} };
  return (new SftpClient(name, silent) as unknown as { client: Client }).client;
}

function formatHop(hop: Hop): string {
  return `${hop.user}@${hop.host}:${hop.port}`;
}
