import type { Duplex } from "node:stream";
import type { Client, ClientChannel, SFTPWrapper } from "ssh2";
import { ConnectionError, type NodeStep } from "../connectionerror.js";

/** The server would not open one more channel. */
export class NoChannelError extends Error {}

/** How ssh2 answers. */
export type Ssh2Callback<T> = (error: Error | null | undefined, value: T) => void;

/** One SSH connection: its end is told once, and nothing that waits on it waits for ever. */
export class SshConnection {
  /** Resolves with the reason when the connection is gone. */
  readonly closed: Promise<string>;
  /** The first error that it ended with. */
  error: Error | undefined;
  /** Type and fingerprint of the host key, once it was accepted. */
  hostKey: string | undefined;
  isClosed = false;
  /** Channels open, and those with the ones being opened. */
  openChannels = 0;
  reservedChannels = 0;
  /** Whether any channel was ever opened. */
  hasOpenedChannel = false;
  /** How many of them the server turned out to allow. */
  maxChannels = Number.POSITIVE_INFINITY;
  /** Called when a channel has closed; who is called removes itself. */
  readonly channelFreedListeners = new Set<() => void>();
  private reason: string | undefined;
  private readonly lostListeners = new Set<(reason: string) => void>();

  constructor(
    private readonly node: string,
    private readonly client: Client,
    private readonly sock: Duplex,
  ) {
    this.closed = new Promise((resolve) => {
      client.on("error", (error: Error & { level?: string }) => {
        // An agent that declines to sign is no end: the next key is tried.
        if (error.level !== "agent") this.error ??= error;
      });
      client.on("end", () => sock.destroy());
      client.on("close", () => {
        this.isClosed = true;
        const reason = this.reason ?? this.error?.message ?? "the other side ended the connection";
        for (const tell of this.lostListeners) tell(reason);
        resolve(reason);
      });
    });
  }

  /** Opens a channel and starts `command` in it. Rejects with NoChannel, or a ConnectionError LOST, TIMEOUT or SHELL. */
  startCommand(command: string, seconds: number): Promise<ClientChannel> {
    return this.openChannel("start a program", seconds, undefined, (done) => this.client.exec(command, done));
  }

  /** Opens the SFTP subsystem. Rejects as `start` does. */
  openSftp(seconds: number): Promise<SFTPWrapper> {
    const next =
      "check `Subsystem sftp` in the node's sshd_config, and that no start-up file prints before it (internal-sftp)";
    return this.openChannel("open SFTP", seconds, next, (done) => this.client.sftp(done));
  }

  /** A stream to `to`, opened from the machine at the other end. */
  openForward(to: { host: string; port: number }, where: NodeStep, seconds: number): Promise<Duplex> {
    const forward = (done: Ssh2Callback<ClientChannel>) =>
      this.client.forwardOut("127.0.0.1", 0, to.host, to.port, done);
    return this.request(where, seconds, forward).catch((cause) => {
      if (cause instanceof ConnectionError) throw cause;
      const next = "check host, port and ProxyJump, and AllowTcpForwarding on the jump host";
      throw new ConnectionError("UNREACHABLE", where, `the jump host cannot reach it: ${cause.message}`, {
        next,
        cause,
      });
    });
  }

  /**
   * One request to ssh2. Rejects with a ConnectionError TIMEOUT after `seconds`, LOST when the connection goes (ssh2 may never
   * call back then), and with ssh2's own error otherwise.
   */
  request<T>(where: NodeStep, seconds: number, request: (done: Ssh2Callback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.lostListeners.delete(lost);
      };
      const lost = (reason: string) => {
        settle();
        reject(new ConnectionError("LOST", where, reason));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new ConnectionError("TIMEOUT", where, `no answer within ${seconds} s`));
      }, seconds * 1000);
      this.lostListeners.add(lost);
      if (this.isClosed) return lost(this.reason ?? this.error?.message ?? "the connection is closed");
      try {
        request((error, value) => {
          // With the connection going, ssh2 blames the request; `lost` follows and knows better.
          if (error && !this.sock.writable) return;
          settle();
          if (error) reject(error);
          else resolve(value);
        });
      } catch (error) {
        settle();
        reject(this.sock.writable ? error : new ConnectionError("LOST", where, "the connection is closed"));
      }
    });
  }

  /** Ends the connection; a peer that has fallen silent is not waited for. */
  close(): void {
    this.reason ??= "closed";
    this.client.end();
    const timer = setTimeout(() => this.sock.destroy(), 1000);
    void this.closed.then(() => clearTimeout(timer));
  }

  private async openChannel<T extends { once(event: "close", listener: () => void): unknown; end(): unknown }>(
    step: string,
    seconds: number,
    next: string | undefined,
    open: (done: Ssh2Callback<T>) => void,
  ): Promise<T> {
    const where = { node: this.node, step };
    let given = false;
    this.reservedChannels += 1;
    try {
      return await this.request<T>(where, seconds, (done) =>
        open((error, channel) => {
          if (given) return void channel?.end();
          if (!error) this.countChannel(channel);
          done(error, channel);
        }),
      );
    } catch (cause) {
      this.freeChannel();
      if (cause instanceof ConnectionError) throw cause;
      const { message } = cause as Error;
      if (/Channel open failure|No free channels/.test(message)) throw new NoChannelError(message, { cause });
      throw new ConnectionError("SHELL", where, `the server refuses: ${message}`, { next, cause });
    } finally {
      given = true;
    }
  }

  private countChannel(channel: { once(event: "close", listener: () => void): unknown }): void {
    this.hasOpenedChannel = true;
    this.openChannels += 1;
    channel.once("close", () => {
      this.openChannels -= 1;
      this.freeChannel();
    });
  }

  private freeChannel(): void {
    this.reservedChannels -= 1;
    for (const tell of [...this.channelFreedListeners]) tell();
  }
}
