import { captureStreams } from "../cappedoutput.js";
import {
  type Channel,
  type CommandResult,
  type Connection,
  describeStop,
  type ExecOptions,
  type ExitReason,
  type Files,
} from "../connection.js";
import { ConnectionError } from "../connectionerror.js";
import type { Node } from "../node.js";
import { formatStartCommand, MAX_COMMAND_BYTES } from "../quote.js";
import { resolveWithin } from "../rejectonabort.js";
import { ChannelPool } from "./channelpool.js";
import { awaitStart, type RemoteProgram } from "./remoteprogram.js";
import { SftpFiles } from "./sftpfiles.js";
import type { SshConnection } from "./sshconnection.js";
import type { SshTimeouts } from "./timeouts.js";

/** How long a node may take to kill a process group that has exceeded its timeout. */
const KILL_TIMEOUT_MS = 5000;

/** A connection to a node over SSH. */
export class SshNodeConnection implements Connection {
  readonly closed: Promise<string>;
  readonly hostKey: string | undefined;
  private readonly channels: ChannelPool;
  shellOutput = "";
  private fileChannel: Promise<Files> | undefined;

  constructor(
    readonly node: Node,
    first: SshConnection,
    dialAgain: () => Promise<SshConnection>,
    private readonly timeouts: SshTimeouts,
  ) {
    this.channels = new ChannelPool(first, dialAgain);
    this.closed = first.closed;
    this.hostKey = first.hostKey;
    void this.closed.then(() => this.channels.close());
  }

  async open(argv: string[]): Promise<Channel> {
    return (await this.start(argv, this.timeouts.requestSeconds)).channel;
  }

  async exec(argv: string[], options: ExecOptions): Promise<CommandResult> {
    const { timeout, signal } = options;
    const begin = performance.now();
    let started: RemoteProgram;
    try {
      started = await this.start(argv, Math.min(timeout, this.timeouts.requestSeconds));
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      const late = error.code === "TIMEOUT" && performance.now() - begin >= timeout * 1000;
      return {
        ...(late ? { kind: "timeout", seconds: timeout } : { kind: "lost", reason: error.detail }),
        stdout: "",
        stderr: late ? error.detail : "",
      };
    }
    const { channel } = started;
    const { stdout, stderr } = captureStreams(channel, options);
    channel.stdin.end(options.stdin ?? "");
    const whole = channel.ended.then((ending) => stderr.ended.then(() => ending));
    const left = Math.max(timeout * 1000 - (performance.now() - begin), 0);
    const ending = (await resolveWithin(whole, left, signal)) ?? (await this.kill(started, describeStop(options)));
    return { ...ending, stdout: stdout.text(), stderr: stderr.text() };
  }

  files(): Promise<Files> {
    this.fileChannel ??= this.openFiles().catch((error) => {
      this.fileChannel = undefined;
      throw error;
    });
    return this.fileChannel;
  }

  async close(): Promise<void> {
    await this.channels.close();
  }

  private async start(argv: string[], seconds: number): Promise<RemoteProgram> {
    const where = { node: this.node.name, step: `start ${argv[0]}` };
    if (argv.some((word) => word.includes("\0"))) {
      throw new ConnectionError("SHELL", where, "an argument holds a NUL byte, which no program can be given", {
        next: "write it to a file, and list the file in `inputs`",
      });
    }
    const line = formatStartCommand(argv);
    if (Buffer.byteLength(line) > MAX_COMMAND_BYTES) {
      throw new ConnectionError("SHELL", where, "its arguments are longer than a command line may be (128 KiB)", {
        next: "write them to a file, and list the file in `inputs`",
      });
    }
    return this.channels.openChannel(where, seconds, async (connection) => {
      const program = await awaitStart(await connection.startCommand(line, seconds), connection, where, seconds);
      this.shellOutput ||= program.shellOutput;
      return program;
    });
  }

  /** Kills a program that has exceeded its timeout, or is not wanted any more, and returns `reason`. */
  private async kill({ channel, pid }: RemoteProgram, reason: ExitReason): Promise<ExitReason> {
    await resolveWithin(this.killGroup(pid), KILL_TIMEOUT_MS);
    channel.destroy();
    return reason;
  }

  /** sshd makes every program the leader of a process group. A signal over its channel would reach the leader only. */
  private async killGroup(pid: number): Promise<void> {
    try {
      const { stdout, stderr, ended } = await this.open(["/bin/sh", "-c", 'kill -s KILL -- "-$0"', String(pid)]);
      stdout.resume();
      stderr.resume();
      await ended;
    } catch {
      // The connection is lost. The next connection finds the processes that still run.
    }
  }

  private async openFiles(): Promise<Files> {
    const where = { node: this.node.name, step: "open SFTP" };
    const { requestSeconds: answer } = this.timeouts;
    return this.channels.openChannel(where, answer, async (connection) => {
      const sftp = await connection.openSftp(answer);
      sftp.once("close", () => {
        this.fileChannel = undefined;
      });
      return new SftpFiles(this.node.name, connection, sftp, this.timeouts);
    });
  }
}
