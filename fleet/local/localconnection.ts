import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { PassThrough, type Readable, type Writable } from "node:stream";
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
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { killGroup } from "../killgroup.js";
import type { Node } from "../node.js";
import { resolveWithin } from "../rejectonabort.js";
import { LocalFiles } from "./localfiles.js";

type LocalProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** Returns a connection to this machine, which acts as a node. Never rejects. */
export async function connectLocal(node: Node): Promise<Connection> {
  return new LocalConnection(node);
}

class LocalConnection implements Connection {
  readonly closed: Promise<string>;
  private resolveClosed: (reason: string) => void = () => {};
  private isClosed = false;
  private readonly channels = new Set<Channel>();

  constructor(readonly node: Node) {
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
  }

  async open(argv: string[]): Promise<Channel> {
    const child = await this.start(argv);
    return this.createChannel(child);
  }

  async exec(argv: string[], options: ExecOptions): Promise<CommandResult> {
    let child: LocalProcess;
    try {
      child = await this.start(argv);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      // Exit code 127 is what a shell on a remote node reports for a program that cannot be started.
      const reason: ExitReason = this.isClosed ? { kind: "lost", reason: error.detail } : { kind: "exit", code: 127 };
      return { ...reason, stdout: "", stderr: `${error.detail}\n` };
    }
    const channel = this.createChannel(child);
    const { stdout, stderr } = captureStreams(channel, options);
    channel.stdin.end(options.stdin ?? "");
    const whole = channel.ended.then((reason) => stderr.ended.then(() => reason));
    const reason = await resolveWithin(whole, options.timeout * 1000, options.signal);
    if (reason === undefined) kill(child, channel);
    return { ...(reason ?? describeStop(options)), stdout: stdout.text(), stderr: stderr.text() };
  }

  async files(): Promise<Files> {
    return new LocalFiles(this.node.name);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const channel of this.channels) channel.destroy();
    this.resolveClosed("closed");
  }

  /** Starts a program the way sshd does: as the leader of a process group, without a terminal, in the home folder. */
  private start(argv: string[]): Promise<LocalProcess> {
    const where = { node: this.node.name, step: `start ${argv[0]}` };
    if (this.isClosed) return Promise.reject(new ConnectionError("LOST", where, "the connection is closed"));
    const cwd = homedir();
    return new Promise((resolve, reject) => {
      const fail = (cause: Error & { code?: string }) => {
        // The system reports a missing current folder as if the program were missing.
        if (cause.code === "ENOENT" && !existsSync(cwd)) {
          const next = "create it, or set HOME to a folder that exists";
          return reject(
            new ConnectionError("MISSING", where, `the home folder ${cwd} does not exist`, { next, cause }),
          );
        }
        reject(explainSpawnError(where, argv[0] ?? "", cause));
      };
      try {
        const child = spawn(argv[0] ?? "", argv.slice(1), {
          cwd,
          detached: true,
          stdio: ["pipe", "pipe", "pipe"],
        });
        child.once("error", fail);
        child.once("spawn", () => resolve(child));
      } catch (error) {
        fail(error as Error);
      }
    });
  }

  /** When a child has exited, Node.js discards its unread output; the PassThrough streams keep it. */
  private createChannel(child: LocalProcess): Channel {
    const { stdin } = child;
    const [stdout, stderr] = [child.stdout.pipe(new PassThrough()), child.stderr.pipe(new PassThrough())];
    const read = new Promise((resolve) => stdout.once("close", resolve));
    const exited = new Promise<ExitReason>((resolve) => {
      child.once("exit", (code, signal) => {
        resolve(code === null ? { kind: "signal", signal: signal ?? "unknown" } : { kind: "exit", code });
      });
    });
    // A program may stop reading its input.
    stdin.on("error", () => {});
    let resolveEnded: (reason: ExitReason) => void = () => {};
    const ended = new Promise<ExitReason>((resolve) => {
      resolveEnded = resolve;
    });
    void read.then(() => exited).then(resolveEnded);
    const destroy = () => {
      resolveEnded({ kind: "lost", reason: "the channel was closed" });
      for (const stream of [stdin, child.stdout, child.stderr, stdout, stderr]) stream.destroy();
      child.unref();
    };
    const channel: Channel = { stdin, stdout, stderr, ended, destroy };
    this.channels.add(channel);
    void ended.then(() => this.channels.delete(channel));
    return channel;
  }
}

/** Kills a program that has exceeded its timeout, or is not wanted any more. */
function kill(child: LocalProcess, channel: Channel): void {
  killGroup(child.pid, "SIGKILL");
  channel.destroy();
}

function explainSpawnError(where: NodeStep, program: string, cause: Error & { code?: string }): ConnectionError {
  const next = "install it, or correct its path: that of Python is `python` of the node in the inventory";
  if (cause.code === "ENOENT")
    return new ConnectionError("MISSING", where, `there is no program ${program}`, { next, cause });
  if (cause.code === "EACCES")
    return new ConnectionError("DENIED", where, `${program} may not be executed`, { next, cause });
  return new ConnectionError("SHELL", where, cause.message, { cause });
}
