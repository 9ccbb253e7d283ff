import type { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { ProcessOutput, $ as zx } from "zx";
import type { Channel, Connection, ExitReason } from "../../fleet/connection.js";
import { quote } from "../../fleet/quote.js";
import type { NodeShell } from "./nodeshell.js";

/** The exit code of ssh for a lost connection. It keeps a lost command from being taken for a finished one. */
const SSH_LOST_EXIT_CODE = 255;

/**
 * Returns zx's `$` that runs its commands on the node with /bin/sh under `set -eu`, in the home folder. Arguments arrive byte for byte. A
 * `cwd` option is a folder of the node. The local environment is not passed on.
 */
export function createRemoteShell(connection: Connection): NodeShell {
  const here = process.cwd();
  const start = (command: string, _words: unknown, options: { cwd?: string }) => {
    const cwd = options.cwd === undefined || options.cwd === here ? "" : `cd -- ${quoteWord(options.cwd)}; `;
    return new RemoteChild(connection.open(["/bin/sh", "-c", `set -eu; ${cwd}${command}`]));
  };
  return zx({
    spawn: start as unknown as typeof spawn,
    quote: quoteWord,
    shell: "/bin/sh",
    prefix: "",
    postfix: "",
    env: {},
    verbose: false,
    quiet: true,
  }) as unknown as NodeShell;
}

/** Formats why a command of `$` failed as one line; undefined if the error does not come from a command. */
export function formatCommandFailure(error: unknown): string | undefined {
  if (!(error instanceof ProcessOutput)) return undefined;
  const message = error.stderr.trim().split("\n").at(-1) ?? "";
  const how = error.exitCode === null ? (error.signal ?? "killed") : `exit ${error.exitCode}`;
  return message === "" ? `a command failed: ${how}` : `a command failed (${how}): ${message}`;
}

/** An empty word must stay a word. */
function quoteWord(word: string): string {
  return word === "" ? "''" : quote(word);
}

/** A program on the node with the interface of a child process. It has no pid, so that zx never kills a local process instead. */
class RemoteChild extends EventEmitter {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly stdio = [this.stdin, this.stdout, this.stderr];
  readonly pid = undefined;
  private channel: Channel | undefined;
  private killed = false;

  constructor(opening: Promise<Channel>) {
    super();
    // A program may stop reading its input.
    this.stdin.on("error", () => {});
    opening.then(
      (channel) => this.join(channel),
      (error: Error) => this.end({ kind: "lost", reason: error.message }),
    );
  }

  /** Closes the channel to the program; processes that it has started may continue. */
  kill(): boolean {
    this.killed = true;
    this.channel?.destroy();
    return true;
  }

  private join(channel: Channel): void {
    this.channel = channel;
    if (this.killed) channel.destroy();
    channel.stdin.on("error", () => {});
    this.stdin.pipe(channel.stdin);
    channel.stdout.pipe(this.stdout, { end: false });
    channel.stderr.pipe(this.stderr, { end: false });
    // When the program has ended, its output may still be in these streams.
    const read = [channel.stdout, channel.stderr].map((stream) => finished(stream).catch(() => {}));
    void Promise.all([channel.ended, ...read]).then(([ending]) => this.end(ending));
  }

  private end(ending: ExitReason): void {
    if (ending.kind === "lost") this.stderr.write(`${ending.reason}\n`);
    const code = ending.kind === "exit" ? ending.code : ending.kind === "signal" ? null : SSH_LOST_EXIT_CODE;
    const signal = ending.kind === "signal" ? ending.signal : null;
    this.stdin.destroy();
    this.stdout.end();
    this.stderr.end();
    this.emit("exit", code, signal);
    // zx expects the close event after all output has been read.
    const read = [this.stdout, this.stderr].map((stream) => (stream.readableEnded ? undefined : awaitClose(stream)));
    void Promise.all(read).then(() => this.emit("close", code, signal));
  }
}

function awaitClose(stream: PassThrough): Promise<unknown> {
  return new Promise((resolve) => stream.once("close", resolve));
}
