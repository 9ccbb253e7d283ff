import { type ChildProcessByStdio, spawn } from "node:child_process";
import { constants, homedir } from "node:os";
import type { Readable, Writable } from "node:stream";
import { keepFirst, USUAL_CAP } from "../collect.js";
import type { Channel, Connection, Ending, Files, Outcome } from "../connection.js";
import { ConnectionError } from "../errors.js";
import type { Node } from "../node.js";
import { LocalFiles } from "./files.js";

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

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

  async exec(argv: string[], options: { stdin?: string; timeout: number; cap?: number }): Promise<Outcome> {
    let child: Child;
    try {
      child = await this.start(argv);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      // What a shell on another node says of a program that cannot be started.
      const ending: Ending = this.over ? { kind: "lost", reason: error.reason } : { kind: "exit", code: 127 };
      return { ...ending, stdout: "", stderr: `${error.reason}\n` };
    }
    const channel = this.channelOf(child);
    const { cap = USUAL_CAP, timeout } = options;
    const [stdout, stderr] = [keepFirst(child.stdout, cap), keepFirst(child.stderr, cap)];
    child.stdin.end(options.stdin ?? "");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Ending>((resolve) => {
      timer = setTimeout(() => {
        killGroup(child);
        channel.destroy();
        resolve({ kind: "timeout", seconds: timeout });
      }, timeout * 1000);
    });
    const ending = await Promise.race([channel.ended, late]);
    clearTimeout(timer);
    return { ...ending, stdout: stdout(), stderr: stderr() };
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
  private start(argv: string[]): Promise<Child> {
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

  private channelOf(child: Child): Channel {
    const ended = new Promise<Ending>((resolve) => {
      child.once("close", (code, signal) => {
        this.channels.delete(channel);
        if (code !== null) resolve({ kind: "exit", code });
        else if (signal !== null) resolve({ kind: "signal", signal });
      });
      child.once("exit", (code, signal) => {
        if (this.over)
          resolve(code === null ? { kind: "signal", signal: signal ?? "unknown" } : { kind: "exit", code });
      });
    });
    const { stdin, stdout, stderr } = child;
    // A program that reads no more is no error of ours.
    stdin.on("error", () => {});
    const destroy = () => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      child.unref();
    };
    const channel: Channel = { stdin, stdout, stderr, ended, destroy };
    this.channels.add(channel);
    return channel;
  }
}

function killGroup(child: Child): void {
  try {
    process.kill(-child.pid!, constants.signals.SIGKILL);
  } catch {
    // Gone already.
  }
}
