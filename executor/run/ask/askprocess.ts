import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { killGroup } from "../../../fleet/killgroup.js";
import { failpoint } from "../failpoint.js";
import type { GroupLock } from "../grouplock.js";
import { describeSpawnError } from "../spawnerror.js";
import { MAX_LINE_BYTES } from "./askline.js";
import { OWN_LINE_PREFIX, readLastWords } from "./lastwords.js";

/** Lines that were read and not handled, and characters of them, after which no more are read for now. */
const MAX_WAITING_LINES = 1000;
const MAX_WAITING_CHARS = 16 << 20;
/** How long a program may take to end after the end of its input, and after SIGTERM. */
export const END_SECONDS = 5;

/** How a program that has exited with 0 has ended. */
export const SUCCESS = "exit code 0";

/** A line that a program has printed, and its number in that life. */
export interface PrintedLine {
  readonly text: string;
  readonly number: number;
}

/** What an `ask` program is started with. */
export interface AskProgram {
  readonly argv: readonly string[];
  /** The working directory. */
  readonly cwd: string;
  /** The file that gets what it prints to stderr. */
  readonly log: string;
}

/** One life of an `ask` program: a process group of its own, lines in and lines out. Emits `change` when there is something to look at. */
export class AskProcess extends EventEmitter<{ change: [] }> {
  private readonly lines: PrintedLine[] = [];
  private rest = "";
  private lineCount = 0;
  /** The characters of `lines`. */
  private waitingChars = 0;
  private needsDrain = false;
  private hasClosed = false;
  private endReason: string | undefined;
  private readonly child: ChildProcess;
  /** Where in its log this life begins, in bytes. */
  private readonly logStart: number;

  private constructor(
    private readonly program: AskProgram,
    private readonly lock: GroupLock,
  ) {
    super();
    const { argv, cwd, log } = program;
    const [file = "", ...args] = argv;
    const err = openSync(log, "a");
    try {
      writeSync(err, `${OWN_LINE_PREFIX}${new Date().toISOString()} ${argv.join(" ")}\n`);
      this.logStart = fstatSync(err).size;
      this.child = spawn(file, args, {
        cwd,
        env: lock.environment,
        detached: true,
        stdio: ["pipe", "pipe", err, lock.fd],
      });
    } finally {
      closeSync(err);
    }
    failpoint("ask-spawned");
    lock.record(this.child.pid);
    this.listen();
  }

  static start(program: AskProgram, lock: GroupLock): AskProcess {
    return new AskProcess(program, lock);
  }

  /** How its life ended: "exit code 1: ValueError: no trials"; undefined while it lasts, or while lines of it are left. */
  get ended(): string | undefined {
    return this.lines.length === 0 && this.hasClosed ? this.endReason : undefined;
  }

  /** Whether it has read what it was sent, but for what a pipe holds. */
  get canWrite(): boolean {
    return !this.needsDrain && this.endReason === undefined;
  }

  /** Whether it has said something that was not taken. */
  get hasLines(): boolean {
    return this.lines.length > 0;
  }

  /** Takes its next line, and the line's number in this life; undefined = there is none. */
  takeLine(): PrintedLine | undefined {
    const line = this.lines.shift();
    this.waitingChars -= line?.text.length ?? 0;
    if (this.lines.length < MAX_WAITING_LINES / 2 && this.waitingChars < MAX_WAITING_CHARS / 2)
      this.child.stdout!.resume();
    return line;
  }

  write(line: string): void {
    this.needsDrain = !this.child.stdin!.write(`${line}\n`);
  }

  /** Ends its input and then, where that is not enough, its process group. Resolves when that is gone. */
  async end(graceSeconds: number): Promise<void> {
    this.child.stdin!.end();
    this.lines.length = 0;
    this.waitingChars = 0;
    this.child.stdout!.resume();
    await this.waitForEnd(graceSeconds);
    if (!this.hasClosed) killGroup(this.child.pid, "SIGTERM");
    await this.waitForEnd(END_SECONDS);
    killGroup(this.child.pid, "SIGKILL");
    await this.waitForEnd(END_SECONDS);
  }

  private async waitForEnd(seconds: number): Promise<void> {
    if (this.hasClosed || seconds <= 0) return;
    const timer = new AbortController();
    const closed = new Promise<void>((resolve) => {
      this.child.once("close", () => resolve());
    });
    await Promise.race([closed, sleep(seconds * 1000, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  }

  private listen(): void {
    const { child } = this;
    child.stdin!.on("error", () => {}); // It has ended: `close` follows.
    child.stdin!.on("drain", () => {
      this.needsDrain = false;
      this.emit("change");
    });
    child.stdout!.setEncoding("utf8").on("data", (text: string) => this.receive(text));
    child.on("error", (error: NodeJS.ErrnoException) => {
      this.endReason ??= describeSpawnError(error, child.spawnfile, this.program.cwd);
      if (child.pid === undefined) this.finish();
    });
    child.on("exit", (code, signal) => {
      this.endReason ??= this.describeExit(code, signal);
      // What it left behind would keep its pipes open.
      killGroup(child.pid, "SIGKILL");
    });
    child.on("close", () => this.finish());
  }

  /** A program that was killed did not print why. */
  private describeExit(code: number | null, signal: NodeJS.Signals | null): string {
    const reason = code === null ? `ended by ${signal}` : `exit code ${code}`;
    if (reason === SUCCESS || signal === "SIGKILL") return reason;
    const words = readLastWords(this.program.log, this.logStart);
    return words === undefined ? reason : `${reason}: ${words}`;
  }

  /** A program that could not be started ends with `error`, and perhaps with `close` after it, when the lock is no longer its own. */
  private finish(): void {
    if (this.hasClosed) return;
    this.hasClosed = true;
    // What a program that died has printed of a line is none.
    if (this.endReason === SUCCESS) this.add([this.rest]);
    this.rest = "";
    this.lock.record(undefined);
    this.emit("change");
  }

  private add(texts: readonly string[]): void {
    for (const text of texts) {
      this.lineCount++;
      if (text.trim() === "") continue;
      this.lines.push({ text, number: this.lineCount });
      this.waitingChars += text.length;
    }
  }

  private receive(text: string): void {
    const parts = (this.rest + text).split("\n");
    this.rest = parts.pop()!;
    this.add(parts);
    if (this.rest.length > MAX_LINE_BYTES) {
      // Longer than any line: it is handled as one, and named.
      this.add([this.rest]);
      this.rest = "";
    }
    if (this.lines.length > MAX_WAITING_LINES || this.waitingChars > MAX_WAITING_CHARS) this.child.stdout!.pause();
    this.emit("change");
  }
}
