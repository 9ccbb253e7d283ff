import { Readable, Writable } from "node:stream";
import type { Channel, ExitReason } from "../connection.js";
import { encodeOutputRead, FrameError, MAX_PAYLOAD_BYTES, RECEIVED, SENT, WINDOW_BYTES } from "./frames.js";

/** Sends a frame about one program. */
export type SendFrame = (kind: number, payload?: Buffer) => void;

/** The most input in one frame, so that frames of other programs come in between. */
const INPUT_BYTES = Math.min(256 * 1024, MAX_PAYLOAD_BYTES);
/** Output is acknowledged when so much of it has been read. */
const ACKNOWLEDGED_BYTES = WINDOW_BYTES / 4;

/** A program that the relay has started: its streams, each with a window of its own. */
export class RelayProgram implements Channel {
  readonly stdin: ProgramInput;
  readonly stdout: ProgramOutput;
  readonly stderr: ProgramOutput;
  readonly ended: Promise<ExitReason>;
  private end: (reason: ExitReason) => void = () => {};
  private exit: (reason: ExitReason) => void = () => {};

  /** `number`: of its channel. `onDestroy` is called when the channel is closed before the program has ended. */
  constructor(
    readonly number: number,
    readonly pid: number,
    send: SendFrame,
    private readonly onDestroy: () => void,
  ) {
    this.stdin = new ProgramInput(send);
    this.stdout = new ProgramOutput((bytes) => send(SENT.outputRead, encodeOutputRead(RECEIVED.output, bytes)));
    this.stderr = new ProgramOutput((bytes) => send(SENT.outputRead, encodeOutputRead(RECEIVED.errors, bytes)));
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    const exited = new Promise<ExitReason>((resolve) => {
      this.exit = resolve;
    });
    const read = [this.stdout, this.stderr].map((stream) => new Promise((resolve) => stream.once("close", resolve)));
    void Promise.all(read)
      .then(() => exited)
      .then(this.end);
  }

  /** The program has exited, and sends no more output. `ended` resolves when what has arrived was read, too. */
  reportExit(reason: ExitReason): void {
    this.exit(reason);
    this.stdout.finish();
    this.stderr.finish();
    this.stdin.destroy();
  }

  destroy(): void {
    this.close("the channel was closed");
    this.onDestroy();
  }

  /** Ends all streams. Output that has arrived and was not read is lost. */
  close(reason: string): void {
    this.end({ kind: "lost", reason });
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.destroy();
  }
}

/** Sends input only as fast as the program takes it, so that one that does not read holds up no other. */
class ProgramInput extends Writable {
  private allowedBytes = WINDOW_BYTES;
  private waiting: { bytes: Buffer; done: () => void } | undefined;

  constructor(private readonly send: SendFrame) {
    super();
    // A program may stop reading its input.
    this.on("error", () => {});
  }

  /** The program has taken so many bytes. Throws FrameError if they are more than were sent. */
  acknowledge(bytes: number): void {
    this.allowedBytes += bytes;
    if (this.allowedBytes > WINDOW_BYTES) throw new FrameError("it has taken more input than was sent");
    this.sendWaiting();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.waiting = { bytes: chunk, done };
    this.sendWaiting();
  }

  override _final(done: () => void): void {
    this.send(SENT.inputEnd);
    done();
  }

  override _destroy(_: Error | null, done: (error?: Error | null) => void): void {
    this.waiting = undefined;
    done(null);
  }

  private sendWaiting(): void {
    const { waiting } = this;
    if (waiting === undefined) return;
    while (waiting.bytes.length > 0) {
      const part = waiting.bytes.subarray(0, Math.min(this.allowedBytes, INPUT_BYTES));
      if (part.length === 0) return;
      this.allowedBytes -= part.length;
      waiting.bytes = waiting.bytes.subarray(part.length);
      this.send(SENT.input, part);
    }
    this.waiting = undefined;
    waiting.done();
  }
}

/** Acknowledges output only as fast as it is read here, so that the relay stops reading from a program whose output nobody wants. */
class ProgramOutput extends Readable {
  private readonly queue: Buffer[] = [];
  private isWanted = false;
  private hasEnded = false;
  private unreadBytes = 0;
  private readBytes = 0;

  constructor(private readonly sendRead: (bytes: number) => void) {
    super();
  }

  /** Takes output; an empty buffer is the end. Throws FrameError if it is more than the window allows. */
  receive(bytes: Buffer): void {
    this.unreadBytes += bytes.length;
    if (this.hasEnded || this.unreadBytes + this.readBytes > WINDOW_BYTES)
      throw new FrameError("it sends more output than the window allows");
    if (bytes.length === 0) return this.finish();
    this.queue.push(bytes);
    this.pass();
  }

  /** No more output comes. */
  finish(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.pass();
  }

  override _read(): void {
    this.isWanted = true;
    this.pass();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.queue.length = 0;
    this.acknowledge(this.unreadBytes);
    done(error);
  }

  private pass(): void {
    while ((this.isWanted || this.destroyed) && this.queue.length > 0) {
      const part = this.queue.shift()!;
      this.isWanted = this.push(part);
      this.acknowledge(part.length);
    }
    if (this.isWanted && this.hasEnded) this.push(null);
  }

  private acknowledge(bytes: number): void {
    this.unreadBytes -= bytes;
    this.readBytes += bytes;
    if (this.readBytes < ACKNOWLEDGED_BYTES || this.hasEnded) return;
    this.sendRead(this.readBytes);
    this.readBytes = 0;
  }
}
