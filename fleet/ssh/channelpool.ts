import { setTimeout as wait } from "node:timers/promises";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { NoChannelError, type SshConnection } from "./sshconnection.js";

/** The most connections to one node: if its server allows a single channel, the agent, the files and a command have one each. */
const MAX_CONNECTIONS = 3;

/** Delays before a refused channel is requested again: the server notices late that another channel has closed. */
const RETRY_DELAYS_MS = [20, 60, 150, 300];

/** Opens the channels to one node: on its first connection, and on further ones only if the server allows too few on that. */
export class ChannelPool {
  private readonly connections: SshConnection[];
  private adding: Promise<void> | undefined;

  constructor(
    private readonly first: SshConnection,
    private readonly dialAgain: () => Promise<SshConnection>,
  ) {
    this.connections = [first];
  }

  /**
   * Opens a channel with `open` on a connection with a free channel, and waits up to `seconds` for one. Rejects with a ConnectionError:
   * LOST if the first connection is closed, SESSIONS if no channel became free, or the error of `open`.
   */
  async openChannel<T>(where: NodeStep, seconds: number, open: (connection: SshConnection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      if (this.first.isClosed) throw new ConnectionError("LOST", where, await this.first.closed);
      const connection = this.connections.find(
        (connection) => !connection.isClosed && connection.reservedChannels < connection.maxChannels,
      );
      if (connection !== undefined) {
        const opened = await tryToOpen(connection, where, open);
        if (opened !== undefined) return opened.value;
      } else if (this.connections.length < MAX_CONNECTIONS) await this.addConnection();
      else await this.waitForChannel(deadline - performance.now());
      if (performance.now() > deadline) {
        throw new ConnectionError("SESSIONS", where, `the server allowed no further channel for ${seconds} s`);
      }
    }
  }

  /** Closes all connections. Resolves when they and their jump hosts are closed. */
  async close(): Promise<void> {
    const connections = [...this.connections];
    for (const connection of connections) connection.close();
    await Promise.all(connections.map(({ released }) => released));
  }

  private addConnection(): Promise<void> {
    this.adding ??= this.dialAgain()
      .then((connection) => {
        if (this.first.isClosed) return connection.close();
        this.connections.push(connection);
        void connection.closed.then(() => this.connections.splice(this.connections.indexOf(connection), 1));
      })
      .finally(() => {
        this.adding = undefined;
      });
    return this.adding;
  }

  /** Resolves when a channel has closed, or after `ms`. */
  private async waitForChannel(ms: number): Promise<void> {
    const connections = [...this.connections];
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        for (const connection of connections) connection.channelFreedListeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(ms, 0));
      for (const connection of connections) connection.channelFreedListeners.add(done);
    });
  }
}

/** Returns the channel. undefined: the server refuses a further channel; then `maxChannels` of the connection is lowered. */
async function tryToOpen<T>(
  connection: SshConnection,
  where: NodeStep,
  open: (connection: SshConnection) => Promise<T>,
): Promise<{ value: T } | undefined> {
  for (const ms of [...RETRY_DELAYS_MS, undefined]) {
    try {
      return { value: await open(connection) };
    } catch (error) {
      if (!(error instanceof NoChannelError)) throw error;
      if (ms !== undefined) await wait(ms);
    }
  }
  if (!connection.hasOpenedChannel) throw new ConnectionError("SESSIONS", where, "the server allows no channel at all");
  connection.maxChannels = Math.min(connection.maxChannels, Math.max(connection.openChannels, 1));
  return undefined;
}
