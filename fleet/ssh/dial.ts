import type { Duplex } from "node:stream";
import type { Client, ClientChannel, ConnectConfig } from "ssh2";
import SftpClient from "ssh2-sftp-client";
import type { ConnectionError, Where } from "../errors.js";
import { type Credentials, findCredentials } from "./auth.js";
import type { Hop } from "./config.js";
import { gatherWrites } from "./gather.js";
import { fingerprint, keyType, preferAlgorithms, recordedTypes } from "./hostkeys.js";
import { readKnownHosts, refuseHostKey } from "./knownhosts.js";
import type { DialLimits } from "./limits.js";
import { Link } from "./link.js";
import type { Patience } from "./patience.js";
import { openSocket } from "./socket.js";
import { explain } from "./trouble.js";

/**
 * Logs in at the last of `hops`, through the ones before it. One try.
 * Rejects with a ConnectionError; whatever was opened on the way is closed then.
 */
export async function dial(node: string, hops: Hop[], patience: Patience, limits: DialLimits): Promise<Link> {
  const links: Link[] = [];
  try {
    for (const [index, hop] of hops.entries()) {
      const last = index === hops.length - 1;
      const where = { node, step: last ? `connect to ${place(hop)}` : `connect to jump host ${place(hop)}` };
      const through = links.at(-1);
      const link = await limits.at(hop).pass(() => reach(hop, where, patience, limits, through));
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
async function reach(
  hop: Hop,
  where: Where,
  patience: Patience,
  limits: DialLimits,
  through: Link | undefined,
): Promise<Link> {
  const credentials = await findCredentials(hop, where);
  const sock = await (through?.forward(hop, where, patience.login) ?? openSocket(hop, where, patience.login));
  return limits.handshakes.pass(() => login(hop, where, patience, credentials, sock));
}

async function login(
  hop: Hop,
  where: Where,
  patience: Patience,
  credentials: Credentials,
  stream: Duplex,
): Promise<Link> {
  // It went while its turn was waited for.
  if (stream.destroyed) throw explain(stream.errored ?? new Error("connection closed"), hop, where, credentials);
  const client = newClient(where.node);
  let refusal: ConnectionError | undefined;
  const sock = gatherWrites(stream);
  const link = new Link(where.node, client, sock);
  const config: ConnectConfig = {
    sock: sock as ClientChannel,
    username: hop.user,
    readyTimeout: patience.login * 1000,
    keepaliveInterval: patience.keepalive * 1000,
    keepaliveCountMax: 3,
    authHandler: credentials.methods,
    algorithms: {
      serverHostKey: preferAlgorithms(recordedTypes(readKnownHosts(hop), hop.keyName ?? hop.host, hop.port)),
    },
    hostVerifier: (key: Buffer) => {
      refusal = refuseHostKey(hop, where, key);
      if (refusal === undefined) link.hostKey = `${keyType(key)} ${fingerprint(key)}`;
      return refusal === undefined;
    },
  };
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      void link.closed.then((reason) =>
        reject(refusal ?? explain(link.error ?? new Error(reason), hop, where, credentials)),
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

function place(hop: Hop): string {
  return `${hop.user}@${hop.host}:${hop.port}`;
}
