import { setTimeout as wait } from "node:timers/promises";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { NoChannelError, type SshConnection } from "./sshconnection.js";

/** Connections to one node, at most: agent, files and a program each have one where a server allows a single channel. */
const MAX_CONNECTIONS = 3;

/** Waits in ms before a refused channel is asked for again: the server notices closed ones late. */
const RETRY_DELAYS_MS = [20, 60, 150, 300];

/** Where channels to a node are opened: on its one connection, and on another only where the server allows too few on that. */
export class ChannelPool {
  private readonly connections: SshConnection[];
  private adding: Promise<void> | undefined;

  constructor(
    private readonly first: SshConnection,
    private readonly dialAgain: () => Promise<SshConnection>,
  ) {
    this.connections = [first];
  }

  /** Opens a channel with `open` on a connection that has room, waiting up to `seconds` for one. Rejects with a ConnectionError. */
  async openChannel<T>(where: NodeStep, seconds: number, open: (link: SshConnection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      if (this.first.isClosed) throw new ConnectionError("LOST", where, await this.first.closed);
      const link = this.connections.find((link) => !link.isClosed && link.reservedChannels < link.maxChannels);
      if (link !== undefined) {
        const opened = await tryToOpen(link, where, open);
        if (opened !== undefined) return opened.value;
      } else if (this.connections.length < MAX_CONNECTIONS) await this.addConnection();
      else await this.waitForChannel(deadline - performance.now());
      if (performance.now() > deadline) {
        throw new ConnectionError("SESSIONS", where, `the server allowed no further channel for ${seconds} s`);
      }
    }
  }

  close(): void {
    for (const link of this.connections) link.close();
  }

  private addConnection(): Promise<void> {
    this.adding ??= this.dialAgain()
      .then((link) => {
        if (this.first.isClosed) return link.close();
        this.connections.push(link);
        void link.closed.then(() => this.connections.splice(this.connections.indexOf(link), 1));
      })
      .finally(() => {
        this.adding = undefined;
      });
    return this.adding;
  }

  /** Resolves when a channel has closed, or after `ms`. */
  private async waitForChannel(ms: number): Promise<void> {
    const links = [...this.connections];
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        for (const link of links) link.channelFreedListeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(ms, 0));
      for (const link of links) link.channelFreedListeners.add(done);
    });
  }
}

/** The channel, or undefined where the link has no room; it then knows how many it allows. */
async function tryToOpen<T>(
  link: SshConnection,
  where: NodeStep,
  open: (link: SshConnection) => Promise<T>,
): Promise<{ value: T } | undefined> {
  for (const ms of [...RETRY_DELAYS_MS, undefined]) {
    try {
      return { value: await open(link) };
    } catch (error) {
      if (!(error instanceof NoChannelError)) throw error;
      if (ms !== undefined) await wait(ms);
    }
  }
  if (!link.hasOpenedChannel) throw new ConnectionError("SESSIONS", where, "the server allows no channel at all");
  link.maxChannels = Math.min(link.maxChannels, Math.max(link.openChannels, 1));
  return undefined;
}
