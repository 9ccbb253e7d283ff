import { type ChildProcessByStdio, spawn } from "node:child_process";
import { constants, homedir } from "node:os";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { captureOutput, DEFAULT_CAP_BYTES } from "../cappedoutput.js";
import type { Channel, CommandResult, Connection, ExitReason, Files } from "../connection.js";
import { ConnectionError } from "../connectionerror.js";
import type { Node } from "../node.js";
import { LocalFiles } from "./localfiles.js";

type LocalProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** This machine, as a node. */
export async function connectLocal(node: Node): Promise<Connection> {
  return new LocalConnection(node);
}

class LocalConnection implements Connection {
  readonly closed: Promise<string>;
  private end: (reason: string) => void = () => {};
  private over = false;
  private readonly channels = new Set<Channel>();

  constructor(readonly node: Node) {
    this.closed = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  async open(argv: string[]): Promise<Channel> {
    const child = await this.start(argv);
    return this.channelOf(child);
  }

  async exec(
    argv: string[],
    options: { stdin?: string | Buffer; timeout: number; cap?: number },
  ): Promise<CommandResult> {
    let child: LocalProcess;
    try {
      child = await this.start(argv);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      // What a shell on another node says of a program that cannot be started.
      const ending: ExitReason = this.over ? { kind: "lost", reason: error.reason } : { kind: "exit", code: 127 };
      return { ...ending, stdout: "", stderr: `${error.reason}\n` };
    }
    const channel = this.channelOf(child);
    const { cap = DEFAULT_CAP_BYTES, timeout } = options;
    const [stdout, stderr] = [captureOutput(channel.stdout, cap), captureOutput(channel.stderr, cap)];
    channel.stdin.end(options.stdin ?? "");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<ExitReason>((resolve) => {
      timer = setTimeout(() => {
        killGroup(child);
        channel.destroy();
        resolve({ kind: "timeout", seconds: timeout });
      }, timeout * 1000);
    });
    const whole = channel.ended.then((ending) => stderr.ended.then(() => ending));
    const ending = await Promise.race([whole, late]);
    clearTimeout(timer);
    return { ...ending, stdout: stdout.text(), stderr: stderr.text() };
  }

  async files(): Promise<Files> {
    return new LocalFiles(this.node.name);
  }

  async close(): Promise<void> {
    this.over = true;
    for (const channel of this.channels) channel.destroy();
    this.end("closed");
  }

  /** Like a program over SSH it leads a process group, has no terminal and begins in the home folder. */
  private start(argv: string[]): Promise<LocalProcess> {
    const where = { node: this.node.name, step: `start ${argv[0]}` };
    if (this.over) return Promise.reject(new ConnectionError("LOST", where, "the connection is closed"));
    return new Promise((resolve, reject) => {
      const fail = (cause: Error & { code?: string }) => {
        const code = cause.code === "ENOENT" ? "MISSING" : cause.code === "EACCES" ? "DENIED" : "SHELL";
        reject(new ConnectionError(code, where, cause.message, { cause }));
      };
      try {
        const child = spawn(argv[0] ?? "", argv.slice(1), {
          cwd: homedir(),
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

  /** Once a child has exited, Node reads away what nobody reads; the streams in between keep it. */
  private channelOf(child: LocalProcess): Channel {
    const { stdin } = child;
    const [stdout, stderr] = [child.stdout.pipe(new PassThrough()), child.stderr.pipe(new PassThrough())];
    const read = new Promise((resolve) => stdout.once("close", resolve));
    const exited = new Promise<ExitReason>((resolve) => {
      child.once("exit", (code, signal) => {
        resolve(code === null ? { kind: "signal", signal: signal ?? "unknown" } : { kind: "exit", code });
      });
    });
    // A program that reads no more is no error of ours.
    stdin.on("error", () => {});
    let letGo: (ending: ExitReason) => void = () => {};
    const given = new Promise<ExitReason>((resolve) => {
      letGo = resolve;
    });
    const destroy = () => {
      letGo({ kind: "lost", reason: "the channel was let go" });
      for (const stream of [stdin, child.stdout, child.stderr, stdout, stderr]) stream.destroy();
      child.unref();
    };
    const ended = Promise.race([read.then(() => exited), given]).finally(() => this.channels.delete(channel));
    const channel: Channel = { stdin, stdout, stderr, ended, destroy };
    this.channels.add(channel);
    return channel;
  }
}

function killGroup(child: LocalProcess): void {
  try {
    process.kill(-child.pid!, constants.signals.SIGKILL);
  } catch {
    // Gone already.
  }
}
