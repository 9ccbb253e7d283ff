import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Algorithms, Client, ClientChannel, ConnectConfig } from "ssh2";
import SftpClient from "ssh2-sftp-client";
import type { ConnectionError, NodeStep } from "../connectionerror.js";
import { coalesceWrites } from "./coalescewrites.js";
import type { Credentials } from "./credentials.js";
import { HandshakeRecord } from "./handshakerecord.js";
import type { Hop } from "./hop.js";
import { verifyHostKey } from "./hostkeys.js";
import { formatKeyFingerprint, readKeyType } from "./knownhosts.js";
import { explainLoginError } from "./loginerrors.js";
import { ProxyStream } from "./proxystream.js";
import { SshConnection } from "./sshconnection.js";
import type { SshTimeouts } from "./timeouts.js";

/** What to log in with: the keys, and the algorithms to offer. */
export interface LoginOffer {
  credentials: Credentials;
  algorithms: Algorithms;
}

/** Logs in over `stream`, and closes it if that fails or `signal` fires first. Rejects with a ConnectionError. */
export async function logIn(
  hop: Hop,
  where: NodeStep,
  timeouts: SshTimeouts,
  { credentials, algorithms }: LoginOffer,
  stream: Duplex,
  signal?: AbortSignal,
): Promise<SshConnection> {
  const record = new HandshakeRecord();
  const explain = (error: Error) => {
    const { hostKeyOffer, methodReplies, continuations } = record;
    const proxyErrors = stream instanceof ProxyStream ? stream.errorText : "";
    const seen = { hostKeyOffer, proxyErrors, methodReplies, continuations };
    return explainLoginError(error, hop, where, { ...credentials, ...seen });
  };
  // The stream closed while this handshake waited for its turn.
  if (stream.destroyed) throw explain(stream.errored ?? new Error("connection closed"));
  const client = newClient(where.node);
  let acceptedKey: Buffer | undefined;
  let hostKeyError: ConnectionError | undefined;
  const sock = coalesceWrites(stream);
  const connection = new SshConnection(where.node, client, sock);
  const config: ConnectConfig = {
    sock: sock as ClientChannel,
    username: hop.user,
    readyTimeout: timeouts.loginSeconds * 1000,
    keepaliveInterval: timeouts.keepaliveSeconds * 1000,
    keepaliveCountMax: 3,
    authHandler: credentials.methods as ConnectConfig["authHandler"],
    algorithms,
    debug: (text) => record.note(text),
    hostVerifier: (key: Buffer) => {
      // When keys are renewed later, the machine must show the same one.
      if (acceptedKey !== undefined) return key.equals(acceptedKey);
      const check = verifyHostKey(hop, where, key, stream instanceof Socket ? stream.remoteAddress : undefined);
      if (!check.ok) hostKeyError = check.error;
      else {
        acceptedKey = Buffer.from(key);
        connection.hostKey = `${readKeyType(key)} ${formatKeyFingerprint(key)}`;
      }
      return check.ok;
    },
  };
  const abandon = () => connection.drop();
  signal?.addEventListener("abort", abandon);
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      void connection.closed.then((reason) => reject(hostKeyError ?? explain(connection.error ?? new Error(reason))));
      if (signal?.aborted === true) reject(signal.reason);
      else client.connect(config);
    });
    return connection;
  } catch (error) {
    if (signal?.aborted === true) connection.drop();
    else connection.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abandon);
  }
}

/** Returns the SSH client of a new SFTP client, whose permanent listeners keep a late error from becoming an unhandled one. */
function newClient(name: string): Client {
  const silent = { error: () => {}, end: () => {}, close: () => {} };
  return (new SftpClient(name, silent) as unknown as { client: Client }).client;
}
