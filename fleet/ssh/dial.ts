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
 * Logs in at the last of `hops`, through the ones before it. One try.
 * Rejects with a ConnectionError; whatever was opened on the way is closed then.
 */
export async function dial(
  node: string,
  hops: Hop[],
  patience: SshTimeouts,
  limits: DialLimits,
): Promise<SshConnection> {
  const links: SshConnection[] = [];
  try {
    for (const [index, hop] of hops.entries()) {
      const last = index === hops.length - 1;
      const where = { node, step: last ? `connect to ${formatHop(hop)}` : `connect to jump host ${formatHop(hop)}` };
      const through = links.at(-1);
      const link = await limits.forAddress(hop).run(() => connectHop(hop, where, patience, limits, through));
      if (through !== undefined) void link.closed.then(() => through.close());
      links.push(link);
    }
    return links.at(-1)!;
  } catch (error) {
    for (const link of links) link.close();
    throw error;
  }
}

/** A logged-in connection to one machine, `through` another one where that is given. */
async function connectHop(
  hop: Hop,
  where: NodeStep,
  patience: SshTimeouts,
  limits: DialLimits,
  through: SshConnection | undefined,
): Promise<SshConnection> {
  const credentials = await findCredentials(hop, where);
  const sock = await (through?.openForward(hop, where, patience.loginSeconds) ??
    openSocket(hop, where, patience.loginSeconds));
  return limits.handshakes.run(() => logIn(hop, where, patience, credentials, sock));
}

async function logIn(
  hop: Hop,
  where: NodeStep,
  patience: SshTimeouts,
  credentials: Credentials,
  stream: Duplex,
): Promise<SshConnection> {
  // It went while its turn was waited for.
  if (stream.destroyed)
    throw explainLoginError(stream.errored ?? new Error("connection closed"), hop, where, credentials);
  const client = newClient(where.node);
  let refusal: ConnectionError | undefined;
  const sock = coalesceWrites(stream);
  const link = new SshConnection(where.node, client, sock);
  const config: ConnectConfig = {
    sock: sock as ClientChannel,
    username: hop.user,
    readyTimeout: patience.loginSeconds * 1000,
    keepaliveInterval: patience.keepaliveSeconds * 1000,
    keepaliveCountMax: 3,
    authHandler: credentials.methods,
    algorithms: {
      serverHostKey: orderAlgorithms(listRecordedTypes(readKnownHosts(hop), hop.hostKeyAlias ?? hop.host, hop.port)),
    },
    hostVerifier: (key: Buffer) => {
      refusal = checkHostKey(hop, where, key);
      if (refusal === undefined) link.hostKey = `${readKeyType(key)} ${formatKeyFingerprint(key)}`;
      return refusal === undefined;
    },
  };
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      void link.closed.then((reason) =>
        reject(refusal ?? explainLoginError(link.error ?? new Error(reason), hop, where, credentials)),
      );
      client.connect(config);
    });
    return link;
  } catch (error) {
    link.close();
    throw error;
  }
}

/** The SSH client inside a new SFTP client, which keeps listeners of its own on it, so that no late error is ever unheard. */
function newClient(name: string): Client {
  const silent = { error: () => {}, end: () => {}, close: () => {} };
  return (new SftpClient(name, silent) as unknown as { client: Client }).client;
}

function formatHop(hop: Hop): string {
  return `${hop.user}@${hop.host}:${hop.port}`;
}
