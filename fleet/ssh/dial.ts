import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { Client, ClientChannel, ConnectConfig } from "ssh2";
import SftpClient from "ssh2-sftp-client";
import type { ConnectionError, Where } from "../errors.js";
import { findCredentials } from "./auth.js";
import type { Hop } from "./config.js";
import { gatherWrites } from "./gather.js";
import { fingerprint, keyType, preferAlgorithms, recordedTypes } from "./hostkeys.js";
import { readKnownHosts, refuseHostKey } from "./knownhosts.js";
import { Link } from "./link.js";
import type { Patience } from "./patience.js";
import { explain } from "./trouble.js";

/**
 * Logs in at the last of `hops`, through the ones before it. One try.
 * Rejects with a ConnectionError; whatever was opened on the way is closed then.
 */
export async function dial(node: string, hops: Hop[], patience: Patience): Promise<Link> {
  const links: Link[] = [];
  try {
    for (const [index, hop] of hops.entries()) {
      const last = index === hops.length - 1;
      const where = { node, step: last ? `connect to ${place(hop)}` : `connect to jump host ${place(hop)}` };
      const through = links.at(-1);
      const sock = through && (await through.forward(hop, where, patience.login));
      const link = await login(hop, where, patience, sock);
      if (through !== undefined) void link.closed.then(() => through.close());
      links.push(link);
    }
    return links.at(-1)!;
  } catch (error) {
    for (const link of links) link.close();
    throw error;
  }
}

/** A logged-in connection to one machine. */
async function login(hop: Hop, where: Where, patience: Patience, through: Duplex | undefined): Promise<Link> {
  const credentials = await findCredentials(hop, where);
  const client = newClient(where.node);
  let refusal: ConnectionError | undefined;
  // Nagle would add 40 ms to every small answer.
  const sock = gatherWrites(through ?? connect({ host: hop.host, port: hop.port, noDelay: true }));
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
