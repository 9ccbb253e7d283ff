import { finished } from "node:stream/promises";
import type { Channel } from "../connection.js";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { resolveWithin } from "../rejectonabort.js";
import { createFileError } from "../systemerror.js";
import { createStartError, decodeExit, describeEnd, shorten } from "./endings.js";
import {
  decodeAnswer,
  decodeCount,
  decodeObject,
  encodeHeader,
  type Frame,
  FrameError,
  FrameParser,
  MAX_PAYLOAD_BYTES,
  RECEIVED,
  SENT,
} from "./frames.js";
import { PendingAnswers } from "./pendinganswers.js";
import { RelayProgram } from "./relayprogram.js";

/** After so many intervals without a sign of life the relay counts as lost. */
const MAX_SILENT_INTERVALS = 3;
/** The end of what is printed to stderr: why srun or the interpreter has failed. */
const MAX_ERROR_CHARACTERS = 500;
/** How long stderr may end after its program: over SSH its last bytes can arrive after the exit status. */
const STDERR_TIMEOUT_MS = 1000;

/** A file request. The relay's answer has an object, and bytes where a file is read. */
export interface FileAnswer {
  header: Record<string, unknown>;
  data: Buffer;
}

/** The coordinator's end of the channel to a relay: sends frames, and passes on those that arrive. */
export class RelayClient {
  /** Resolves with the reason once the channel has ended. Never rejects. */
  readonly lost: Promise<string>;
  /** Why the channel has ended; undefined: it has not. */
  lostReason: string | undefined;
  private reportLost: (reason: string) => void = () => {};
  private readonly parser = new FrameParser();
  private readonly answers = new PendingAnswers();
  private readonly programs = new Map<number, RelayProgram>();
  private lastNumber = 0;
  private errors = "";
  /** What the end of the channel means before the relay has said hello. */
  private startErrorCode: "LOST" | "SHELL" = "LOST";
  private silentIntervals = 0;
  private keepalive: NodeJS.Timeout | undefined;

  constructor(
    private readonly node: string,
    private readonly channel: Channel,
  ) {
    this.lost = new Promise((resolve) => {
      this.reportLost = resolve;
    });
    channel.stdin.on("error", () => {});
    channel.stdout.on("data", (bytes: Buffer) => this.receive(bytes));
    channel.stderr.on("data", (bytes: Buffer) => {
      this.errors = `${this.errors}${bytes}`.slice(-MAX_ERROR_CHARACTERS);
    });
    const stderrEnded = finished(channel.stderr, { writable: false }).catch(() => {});
    void channel.ended.then(async (reason) => {
      if (reason.kind !== "lost") this.startErrorCode = "SHELL";
      await resolveWithin(stderrEnded, STDERR_TIMEOUT_MS);
      this.lose(`${describeEnd(reason)}${this.printed()}`);
    });
  }

  /**
   * Sends the relay's own program and waits for its first frame. Rejects with a ConnectionError (SHELL, LOST, TIMEOUT) that has what was
   * printed instead.
   */
  async awaitHello(program: Buffer, seconds: number): Promise<Record<string, unknown>> {
    const where = { node: this.node, step: "start the relay" };
    this.channel.stdin.write(program);
    try {
      return await this.wait(where, 0, [RECEIVED.hello], ({ payload }) => decodeObject(payload), seconds);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      if (error.code === "TIMEOUT")
        throw new ConnectionError("TIMEOUT", where, `it did not start within ${seconds} s${this.printed()}`);
      throw new ConnectionError(this.startErrorCode, where, error.detail);
    }
  }

  /** Sends a ping at each interval. The channel is lost when several intervals have passed without a byte from the relay. */
  keepAlive(intervalSeconds: number): void {
    if (this.lostReason !== undefined) return;
    this.keepalive = setInterval(() => {
      this.silentIntervals += 1;
      if (this.silentIntervals > MAX_SILENT_INTERVALS)
        return this.lose(`no answer for ${(intervalSeconds * MAX_SILENT_INTERVALS).toFixed(1)} s`);
      this.send(SENT.ping, 0);
    }, intervalSeconds * 1000);
  }

  /** Starts a program. Rejects with a ConnectionError (MISSING, DENIED, SHELL, LOST, TIMEOUT). */
  async start(argv: string[], seconds: number): Promise<RelayProgram> {
    const where = { node: this.node, step: `start ${argv[0]}` };
    if (argv.some((word) => word.includes("\0"))) {
      throw new ConnectionError("SHELL", where, "an argument holds a NUL byte, which no program can be given", {
        next: "write it to a file, and list the file in `inputs`",
      });
    }
    const words = Buffer.from(argv.join("\0"));
    if (words.length > MAX_PAYLOAD_BYTES) {
      throw new ConnectionError("SHELL", where, "its arguments are longer than 1 MiB", {
        next: "write them to a file, and list the file in `inputs`",
      });
    }
    const number = this.takeNumber();
    const kinds = [RECEIVED.started, RECEIVED.failed];
    const answer = this.wait(where, number, kinds, (frame) => this.addProgram(where, frame), seconds);
    this.send(SENT.start, number, words);
    try {
      const started = await answer;
      if (started instanceof RelayProgram) return started;
      throw started;
    } catch (error) {
      // After a timeout, it may have been started, or will be.
      this.send(SENT.kill, number);
      this.send(SENT.close, number);
      throw error;
    }
  }

  /** Kills the process group of a program and waits until that is done, for at most `seconds`. Never rejects. */
  async kill({ number }: RelayProgram, seconds: number): Promise<void> {
    const where = { node: this.node, step: "kill a program" };
    const killed = this.wait(where, number, [RECEIVED.killed], () => {}, seconds);
    this.send(SENT.kill, number);
    await killed.catch(() => {});
  }

  /** Sends a file request. Rejects with a ConnectionError; `seconds` undefined: whoever waits for many answers has a timeout. */
  async request(where: NodeStep, header: object, data?: Buffer, seconds?: number): Promise<FileAnswer> {
    const number = this.takeNumber();
    const answer = this.wait(where, number, [RECEIVED.answer], ({ payload }) => decodeAnswer(payload), seconds);
    this.send(SENT.request, number, Buffer.from(`${JSON.stringify(header)}\n`), data);
    const decoded = await answer;
    const { error, message } = decoded.header;
    if (error !== undefined) throw createFileError(where, `${error}`, shorten(message), { code: error });
    return decoded;
  }

  /** Returns a number that no frame has had. */
  takeNumber(): number {
    this.lastNumber += 1;
    return this.lastNumber;
  }

  /** Closes the channel at once. Everything that waits for the relay ends with `reason`. */
  lose(reason: string): void {
    if (this.settle(reason)) this.channel.destroy();
  }

  /** Ends the relay, and waits for its end for at most `timeoutMs`: it removes files that are not complete. */
  async close(timeoutMs: number): Promise<void> {
    if (!this.settle("closed")) return;
    this.channel.stdin.end();
    await resolveWithin(this.channel.ended, timeoutMs);
    this.channel.destroy();
  }

  /** False: the channel has ended before. */
  private settle(reason: string): boolean {
    if (this.lostReason !== undefined) return false;
    this.lostReason = reason;
    clearInterval(this.keepalive);
    this.answers.rejectAll(reason);
    for (const program of this.programs.values()) program.close(reason);
    this.programs.clear();
    this.reportLost(reason);
    return true;
  }

  private wait<T>(
    where: NodeStep,
    number: number,
    kinds: readonly number[],
    decode: (frame: Frame) => T,
    seconds?: number,
  ): Promise<T> {
    if (this.lostReason !== undefined) return Promise.reject(new ConnectionError("LOST", where, this.lostReason));
    return this.answers.wait(where, number, kinds, decode, seconds);
  }

  private send(kind: number, number: number, ...payload: (Buffer | undefined)[]): void {
    if (this.lostReason !== undefined) return;
    const { stdin } = this.channel;
    const parts = payload.filter((part) => part !== undefined);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (stdin.writableCorked === 0) {
      stdin.cork();
      process.nextTick(() => stdin.uncork());
    }
    stdin.write(encodeHeader(kind, number, bytes));
    for (const part of parts) stdin.write(part);
  }

  private receive(bytes: Buffer): void {
    this.silentIntervals = 0;
    try {
      for (const frame of this.parser.push(bytes)) if (this.lostReason === undefined) this.handle(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.startErrorCode = "SHELL";
      this.lose(`the relay cannot be understood: ${error.message}${this.printed()}`);
    }
  }

  private handle(frame: Frame): void {
    const { kind, channel, payload } = frame;
    if (channel > this.lastNumber) throw new FrameError(`a frame for the unknown number ${channel}`);
    const program = this.programs.get(channel);
    switch (kind) {
      case RECEIVED.hello:
      case RECEIVED.started:
      case RECEIVED.failed:
      case RECEIVED.killed:
      case RECEIVED.answer:
        return this.answers.resolve(frame);
      case RECEIVED.output:
        return program?.stdout.receive(payload);
      case RECEIVED.errors:
        return program?.stderr.receive(payload);
      case RECEIVED.inputTaken:
        return program?.stdin.acknowledge(decodeCount(frame));
      case RECEIVED.exited:
        program?.reportExit(decodeExit(payload));
        return void this.programs.delete(channel);
      case RECEIVED.pong:
        return;
      default:
        throw new FrameError(`a frame of the unknown kind ${kind}`);
    }
  }

  /** Returns the program that has been started, or why it cannot be. */
  private addProgram(where: NodeStep, frame: Frame): RelayProgram | ConnectionError {
    if (frame.kind === RECEIVED.failed) return createStartError(where, decodeObject(frame.payload));
    const { channel: number } = frame;
    const send = (kind: number, payload?: Buffer) => this.send(kind, number, payload);
    const close = () => {
      if (this.programs.delete(number)) send(SENT.close);
    };
    const program = new RelayProgram(number, decodeCount(frame), send, close);
    this.programs.set(number, program);
    return program;
  }

  /** What the relay, or what runs in its place, has printed. */
  private printed(): string {
    const text = `${this.parser.preamble} ${this.errors}`.replace(/[\p{C}\s]+/gu, " ").trim();
    return text === "" ? "" : `: ${text.slice(-MAX_ERROR_CHARACTERS)}`;
  }
}
