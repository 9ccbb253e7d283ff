import type { Duplex } from "node:stream";
import type { Client, ClientChannel, SFTPWrapper } from "ssh2";
import { ConnectionError, type NodeStep } from "../connectionerror.js";

/** The server refused to open a further channel. */
export class NoChannelError extends Error {}

/** The callback of ssh2 for a request with a result. */
export type Ssh2Callback<T> = (error: Error | null | undefined, value: T) => void;

/** One SSH connection. When it closes, all pending requests fail: ssh2 alone would leave some of them pending forever. */
export class SshConnection {
  /** Resolves with the reason when the connection is closed or lost. */
  readonly closed: Promise<string>;
  /** Resolves when the connection and the jump hosts before it are closed, so that no process of theirs is left. */
  released: Promise<unknown>;
  /** The first error of the connection. */
  error: Error | undefined;
  /** Type and fingerprint of the host key, once it is accepted. */
  hostKey: string | undefined;
  isClosed = false;
  openChannels = 0;
  /** Channels that are open or being opened. */
  reservedChannels = 0;
  /** Whether any channel was ever opened. */
  hasOpenedChannel = false;
  /** The number of channels that the server allows, as far as it is known. */
  maxChannels = Number.POSITIVE_INFINITY;
  /** Called when a channel has closed. Each listener removes itself. */
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
        // If the agent declines to sign, ssh2 tries the next key.
        if (error.level !== "agent") this.error ??= error;
      });
      client.on("end", () => sock.destroy());
      client.on("close", () => {
        this.isClosed = true;
        const reason = this.reason ?? this.error?.message ?? "the other side ended the connection";
        for (const onLost of this.lostListeners) onLost(reason);
        resolve(reason);
      });
    });
    this.released = this.closed;
  }

  /** Closes `through`, the jump host that this connection leads through, when this connection is closed. */
  closeAlso(through: SshConnection): void {
    this.released = this.closed.then(() => {
      through.close();
      return through.released;
    });
  }

  /** Opens a channel and starts `command` in it. Rejects with NoChannelError, or a ConnectionError (LOST, TIMEOUT, SHELL). */
  startCommand(command: string, seconds: number): Promise<ClientChannel> {
    return this.openChannel("start a program", seconds, undefined, (done) => this.client.exec(command, done));
  }

  /** Opens the SFTP subsystem. Rejects as `startCommand` does. */
  openSftp(seconds: number): Promise<SFTPWrapper> {
    const next =
      "check `Subsystem sftp` in the node's sshd_config, and that no start-up file prints before it (internal-sftp)";
    return this.openChannel("open SFTP", seconds, next, (done) => this.client.sftp(done));
  }

  /** Opens a TCP connection to `to` from the remote machine. Rejects with a ConnectionError (LOST, TIMEOUT, UNREACHABLE). */
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
   * Sends a request with ssh2 and resolves with its result. Rejects with a ConnectionError (TIMEOUT after `seconds`; LOST if the
   * connection closes, in which case ssh2 may never call back), else with ssh2's own error.
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
          // When the connection breaks, ssh2 fails the request first; `lost` follows with the real reason.
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

  /** Closes the connection, after at most 1 s if the peer does not answer. */
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
    let hasSettled = false;
    this.reservedChannels += 1;
    try {
      return await this.request<T>(where, seconds, (done) =>
        open((error, channel) => {
          if (hasSettled) return void channel?.end();
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
      hasSettled = true;
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
    for (const onFreed of [...this.channelFreedListeners]) onFreed();
  }
}
