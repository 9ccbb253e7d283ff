import type { Connection } from "./connection.js";
import type { DialOptions } from "./dialoptions.js";
import { connectLocal } from "./local/localconnection.js";
import type { Node } from "./node.js";
import { SshDialer } from "./ssh/sshdialer.js";

/** Connects to nodes. Use one dialer for many nodes: it shares the ssh configuration and limits concurrent log-ins. */
export class Dialer {
  private readonly ssh = new SshDialer();

  /** Opens a connection to a node. Rejects with a ConnectionError that names the failed step and the next action. */
  async connect(node: Node, options: DialOptions = {}): Promise<Connection> {
    return node.connection === "local" ? connectLocal(node) : this.ssh.connect(node, undefined, options);
  }
}

/** Opens a connection to a single node; see `Dialer.connect`. */
export function connect(node: Node): Promise<Connection> {
  return new Dialer().connect(node);
}
