import type { Connection } from "./connection.js";
import { connectLocal } from "./local/localconnection.js";
import type { Node } from "./node.js";
import { SshDialer } from "./ssh/sshdialer.js";

/** Connects to nodes. Connections to many nodes come from one dialer: it keeps them from asking too much of a machine at once. */
export class Dialer {
  private readonly ssh = new SshDialer();

  /** A way to a node. Rejects with a ConnectionError that names the step and what to do next. */
  async connect(node: Node): Promise<Connection> {
    return node.connection === "local" ? connectLocal(node) : this.ssh.connect(node);
  }
}

/** A way to one node alone; see Dialer. */
export function connect(node: Node): Promise<Connection> {
  return new Dialer().connect(node);
}
