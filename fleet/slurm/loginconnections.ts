import { MusterError } from "../../schemas/errors.js";
import type { Connection } from "../connection.js";

/** sshd allows 10 channels on a connection by default; some are for commands and for what other programs of the user need. */
const CHANNELS_PER_CONNECTION = 8;

/** A channel's place on a connection to the login node. `release`: it is not needed any more. */
export interface LoginChannel {
  readonly connection: Connection;
  release(): void;
}

/** Connections to one login node, as many as its channels need. */
export class LoginConnections {
  private readonly channels = new Map<Connection, number>();
  private dialing: Promise<Connection> | undefined;
  private isClosed = false;

  constructor(private readonly dial: () => Promise<Connection>) {}

  /** Returns a connection for a command that ends soon. Rejects as a dial does. */
  async forCommand(): Promise<Connection> {
    const [connection] = this.channels.keys();
    return connection ?? this.dialOnce();
  }

  /** Reserves a channel that stays open. Rejects as a dial does. */
  async reserve(): Promise<LoginChannel> {
    let connection: Connection | undefined;
    do {
      connection = [...this.channels].find(([, count]) => count < CHANNELS_PER_CONNECTION)?.[0];
      if (connection === undefined) await this.dialOnce();
    } while (connection === undefined);
    return this.take(connection);
  }

  /** Closes all connections, also one that is being made. From then on `forCommand` and `reserve` reject with LOST. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.dialing?.catch(() => {});
    const connections = [...this.channels.keys()];
    this.channels.clear();
    await Promise.all(connections.map((connection) => connection.close()));
  }

  private take(connection: Connection): LoginChannel {
    this.change(connection, 1);
    let isTaken = true;
    const release = () => {
      if (isTaken) this.change(connection, -1);
      isTaken = false;
    };
    return { connection, release };
  }

  private change(connection: Connection, by: 1 | -1): void {
    const count = this.channels.get(connection);
    if (count !== undefined) this.channels.set(connection, count + by);
  }

  /** Log-ins are made one after another: a login node may limit how many begin at once. */
  private dialOnce(): Promise<Connection> {
    if (this.isClosed) return Promise.reject(createClosedError());
    this.dialing ??= this.dial()
      .then(async (connection) => {
        if (this.isClosed) {
          await connection.close();
          throw createClosedError();
        }
        this.channels.set(connection, 0);
        void connection.closed.then(() => this.channels.delete(connection));
        return connection;
      })
      .finally(() => {
        this.dialing = undefined;
      });
    return this.dialing;
  }
}

function createClosedError(): MusterError {
  return new MusterError("LOST", "the connections to the login node have been closed");
}
