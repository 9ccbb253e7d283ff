import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { Duplex, type Readable, type Writable } from "node:stream";
import { killGroup } from "../killgroup.js";

/** How long a ProxyCommand may take to end after SIGHUP, which is the signal that ssh sends. */
const END_TIMEOUT_MS = 1000;

/** How long after its output has ended a command may still exit, or after its exit another process may hold the output. */
const DRAIN_TIMEOUT_MS = 200;

/** How much of its standard error is kept: the last of it. */
const MAX_ERROR_CHARS = 2000;

type ProxyProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** A ProxyCommand ended before its connection did. `isRefusal`: it failed, and has passed on no byte of the server. */
export class ProxyCommandError extends Error {
  constructor(
    message: string,
    readonly isRefusal: boolean,
  ) {
    super(message);
    this.name = "ProxyCommandError";
  }
}

/**
 * Starts a ProxyCommand as ssh does: the user's shell runs `exec COMMAND`. It leads a process group of its own, so that a pipeline ends
 * as a whole and Ctrl-C does not cut connections. Rejects with a ProxyCommandError if the shell cannot be started.
 */
export async function startProxyCommand(command: string): Promise<ProxyStream> {
  const child: ProxyProcess = spawn(process.env.SHELL || "/bin/sh", ["-c", `exec ${command}`], {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  await once(child, "spawn").catch((error: Error) => {
    throw new ProxyCommandError(`the ProxyCommand could not be started: ${error.message}`, true);
  });
  return new ProxyStream(child);
}

/**
 * The standard input and output of a ProxyCommand. It fails with a ProxyCommandError when the command ends first, and its `close` event
 * comes once the command and its process group have ended.
 */
export class ProxyStream extends Duplex {
  private errors = "";
  private hasAnswered = false;
  private hasExited = false;
  private hasEndedOutput = false;

  constructor(private readonly child: ProxyProcess) {
    super();
    // It may fail before ssh2 adds its listeners.
    this.on("error", () => {});
    child.on("error", () => {});
    // The exit of the command says more than a broken pipe.
    child.stdin.on("error", () => {});
    child.stdout.on("data", (bytes: Buffer) => {
      this.hasAnswered = true;
      if (!this.push(bytes)) child.stdout.pause();
    });
    child.stdout.once("end", () => setTimeout(() => this.endOutput(), DRAIN_TIMEOUT_MS));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.errors = `${this.errors}${text}`.slice(-MAX_ERROR_CHARS);
    });
    child.once("exit", (code, signal) => {
      this.hasExited = true;
      const timer = setTimeout(() => this.fail(code, signal), DRAIN_TIMEOUT_MS);
      child.once("close", () => {
        clearTimeout(timer);
        this.fail(code, signal);
      });
    });
  }

  /** What the command has printed to standard error, without blanks around it. */
  get errorText(): string {
    return this.errors.trim();
  }

  /** Kills the command and its process group at once. */
  kill(): void {
    killGroup(this.child.pid, "SIGKILL");
  }

  override _read(): void {
    this.child.stdout.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.child.stdin.write(bytes, () => done());
  }

  override _final(done: () => void): void {
    this.child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    void this.endGroup().then(() => done(error));
  }

  /** Sends SIGHUP, and SIGKILL to what is left of the group when the command has exited, or after a second. */
  private async endGroup(): Promise<void> {
    if (!this.hasExited) {
      const exited = once(this.child, "exit");
      killGroup(this.child.pid, "SIGHUP");
      this.child.stdin.destroy();
      const timer = setTimeout(() => this.kill(), END_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    }
    this.kill();
  }

  private endOutput(): void {
    if (!this.destroyed && !this.hasEndedOutput) this.push(null);
    this.hasEndedOutput = true;
  }

  private fail(code: number | null, signal: string | null): void {
    // It ends after its input has: a close, not a failure.
    if (code === 0 && this.writableEnded) return this.endOutput();
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    const text = this.errorText;
    const isRefusal = !this.hasAnswered && (code !== 0 || text !== "");
    this.destroy(new ProxyCommandError(`the ProxyCommand ${how}${text === "" ? "" : `: ${text}`}`, isRefusal));
  }
}
