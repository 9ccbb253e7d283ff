import { setMaxListeners } from "node:events";
import type { Connection } from "./connection.js";
import { ConnectionError } from "./connectionerror.js";
import type { DialOptions } from "./dialoptions.js";
import { connectLocal } from "./local/localconnection.js";
import type { Node } from "./node.js";
import type { Cluster } from "./slurm/cluster.js";
import { SlurmEngine } from "./slurm/slurmengine.js";
import type { PublicKey } from "./ssh/publickey.js";
import { type NodeLogin, SshDialer } from "./ssh/sshdialer.js";

/** Connects to nodes. Use one dialer for many nodes: it shares the ssh configuration and limits concurrent log-ins. */
export class Dialer {
  private readonly ssh = new SshDialer();
  private readonly engines = new Map<string, SlurmEngine>();

  /** Opens a connection to a node. Rejects with a ConnectionError that names the failed step and the next action. */
  async connect(node: Node, options: DialOptions = {}): Promise<Connection> {
    // One signal may end the dials of all nodes, each of which listens to it. Node.js warns from the eleventh listener on.
    if (options.signal !== undefined) setMaxListeners(0, options.signal);
    switch (node.connection) {
      case "local":
        return connectLocal(node);
      case "ssh":
        return this.ssh.connect(node, undefined, options);
      case "slurm":
        return this.findEngine(node).open(node, options);
      default:
        return node.connection satisfies never;
    }
  }

  /**
   * Returns the engine of a cluster: one for all of its pilots, because they share the connections to its login node. From then on these
   * can be connected to.
   */
  engineOf(cluster: Cluster): SlurmEngine {
    let engine = this.engines.get(cluster.name);
    if (engine === undefined) {
      engine = new SlurmEngine(cluster, (node, options) => this.connect(node, options));
      this.engines.set(cluster.name, engine);
    }
    return engine;
  }

  private findEngine({ name, allocation }: Node): SlurmEngine {
    const engine = this.engines.get(allocation?.cluster ?? "");
    if (engine !== undefined) return engine;
    throw new ConnectionError("CONFIG", { node: name, step: "connect" }, "its cluster is not in the inventory");
  }

  /** Closes the connections to login nodes. Those to machines belong to who has opened them. */
  async closeEngines(): Promise<void> {
    await Promise.all([...this.engines.values()].map((engine) => engine.close()));
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
