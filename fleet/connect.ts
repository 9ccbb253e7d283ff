import { setMaxListeners } from "node:events";
import type { Connection } from "./connection.js";
import type { DialOptions } from "./dialoptions.js";
import { connectLocal } from "./local/localconnection.js";
import type { Node } from "./node.js";
import type { PublicKey } from "./ssh/publickey.js";
import { type NodeLogin, SshDialer } from "./ssh/sshdialer.js";

/** Connects to nodes. Use one dialer for many nodes: it shares the ssh configuration and limits concurrent log-ins. */
export class Dialer {
  private readonly ssh = new SshDialer();

  /** Opens a connection to a node. Rejects with a ConnectionError that names the failed step and the next action. */
  async connect(node: Node, options: DialOptions = {}): Promise<Connection> {
    // One signal may end the dials of all nodes, each of which listens to it. Node.js warns from the eleventh listener on.
    if (options.signal !== undefined) setMaxListeners(0, options.signal);
    return node.connection === "local" ? connectLocal(node) : this.ssh.connect(node, undefined, options);
  }

  /** Returns where and as whom an SSH node is logged in to, as ~/.ssh/config resolves it. Rejects with a ConnectionError (CONFIG). */
  loginOf(node: Node): Promise<NodeLogin> {
    return this.ssh.loginOf(node);
  }

  /** Finds the public key of the first key that can log in to an SSH node. undefined: there is none. Rejects with a ConnectionError (CONFIG). */
  findPublicKey(node: Node): Promise<PublicKey | undefined> {
    return this.ssh.findPublicKey(node);
  }

  /** Returns the name or address of a node's machine, as ~/.ssh/config resolves it. Rejects with a ConnectionError (CONFIG). */
  async hostOf(node: Node): Promise<string> {
    return node.connection === "local" ? "localhost" : this.ssh.hostOf(node);
  }
}

/** Opens a connection to a single node; see `Dialer.connect`. */
export function connect(node: Node): Promise<Connection> {
  return new Dialer().connect(node);
}
