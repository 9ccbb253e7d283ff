import { once } from "node:events";
import type { Channel } from "../../../fleet/connection.js";
import { failpoint } from "../failpoint.js";
import { type ExpectedOutputs, LineLimits, PREAMBLE_BYTES } from "./linelimits.js";
import { parseMessage } from "./messages.js";
import { type AgentCommand, type AgentMessage, PROTOCOL_VERSION } from "./protocol.js";

/** The first line of an agent. */
const FIRST_REPLY = /^\{"ev": ?"(hello|refused)"/;
/** Bytes of a line that show which message it is. */
const PREFIX_BYTES = 16;
/** Of a malformed line, in an error. */
const MAX_QUOTED_CHARS = 120;
/** Of what the agent prints on stderr: the end is kept. */
const MAX_STDERR_CHARS = 2000;
const NEWLINE = 10;

/** Why no more messages come from an agent. `violation`: it broke the protocol, so nothing that it says can be relied on. */
export interface AgentEnd {
  readonly kind: "lost" | "violation";
  readonly reason: string;
}

/**
 * The coordinator's end of a channel to an agent: JSON lines both ways. Commands that are sent in one turn of the event loop are
 * written together. Lines before the agent's first reply are skipped, because a shell's start-up file may print some. A line that
 * is too long or malformed closes the channel. From an agent of another version, lines that do not match the schema are skipped:
 * it can be stopped, and its `bye` be read.
 */
export class AgentChannel {
  private readonly limits: LineLimits;
  private outgoing: AgentCommand[] = [];
  private hasReply = false;
  private isOtherVersion = false;
  private isClosed = false;
  private isDetached = false;
  /** While what was sent has not been passed on. */
  private drain: Promise<void> | undefined;
  /** Of the line that is not complete yet. */
  private lineParts: Buffer[] = [];
  private lineBytes = 0;
  /** Skipped so far. */
  private preambleBytes = 0;

  /** Calls `onMessage` for each message, and `onEnd` once, when no more will come. */
  constructor(
    private readonly channel: Channel,
    private readonly onMessage: (message: AgentMessage) => void,
    private readonly onEnd: (end: AgentEnd) => void,
    expected: ExpectedOutputs,
  ) {
    this.limits = new LineLimits(expected);
    let stderr = "";
    channel.stdout.on("data", (bytes: Buffer) => this.receiveBytes(bytes));
    channel.stderr.on("data", (bytes: Buffer) => {
      stderr = (stderr + bytes.toString()).slice(-MAX_STDERR_CHARS);
    });
    channel.stdin.on("error", () => {});
    void channel.ended.then((ending) => {
      const how = ending.kind === "lost" ? ending.reason : ending.kind === "exit" ? `exit ${ending.code}` : ending.kind;
      const output = stderr.trim() === "" ? "" : `: ${stderr.trim()}`;
      this.finish({ kind: "lost", reason: `the agent's channel ended (${how})${output}` });
    });
  }

  send(command: AgentCommand): void {
    this.limits.recordSent(command);
    if (this.outgoing.length === 0) setImmediate(() => this.flush());
    this.outgoing.push(command);
  }

  /** Resolves when what was sent has been passed on, or the channel has ended. */
  async drained(): Promise<void> {
    this.flush();
    const { stdin } = this.channel;
    if (!this.isOpen || !stdin.writable || !stdin.writableNeedDrain) return;
    this.drain ??= waitForDrain(this.channel).finally(() => {
      this.drain = undefined;
    });
    await this.drain;
  }

  /** Closes the channel. The agent continues without a coordinator. */
  detach(): void {
    this.flush();
    this.isDetached = true;
    this.channel.stdin.end();
    this.channel.destroy();
  }

  /** Closes the channel because the agent broke the protocol. */
  closeForViolation(reason: string): void {
    this.finish({ kind: "violation", reason });
    this.channel.destroy();
  }

  private flush(): void {
    if (this.outgoing.length === 0) return;
    const commands = this.outgoing;
    this.outgoing = [];
    if (this.channel.stdin.writable)
      this.channel.stdin.write(commands.map((command) => `${JSON.stringify(command)}\n`).join(""));
    for (const { op } of commands) failpoint(`sent-${op}`);
  }

  private receiveBytes(bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0 && this.isOpen; end = bytes.indexOf(NEWLINE, from)) {
      this.appendToLine(bytes.subarray(from, end));
      this.finishLine();
      from = end + 1;
    }
    if (from < bytes.length && this.isOpen) this.appendToLine(bytes.subarray(from));
  }

  private get isOpen(): boolean {
    return !this.isClosed && !this.isDetached;
  }

  private appendToLine(bytes: Buffer): void {
    this.lineParts.push(bytes);
    this.lineBytes += bytes.length;
    const limit = this.hasReply ? this.limits.maxLineBytes(this.lineBytes, () => this.linePrefix()) : PREAMBLE_BYTES;
    if (this.lineBytes > limit)
      this.closeForViolation(`it sent a line of more than ${limit} bytes: ${this.linePrefix().toString("latin1")}...`);
  }

  private linePrefix(): Buffer {
    let count = 0;
    for (let bytes = 0; count < this.lineParts.length && bytes < PREFIX_BYTES; count++)
      bytes += this.lineParts[count]!.length;
    return Buffer.concat(this.lineParts.slice(0, count)).subarray(0, PREFIX_BYTES);
  }

  private finishLine(): void {
    if (!this.isOpen) return;
    const text = (this.lineParts.length === 1 ? this.lineParts[0]! : Buffer.concat(this.lineParts)).toString("utf8");
    this.lineParts = [];
    this.lineBytes = 0;
    if (!this.hasReply && !FIRST_REPLY.test(text)) return this.skipPreamble(text.length);
    this.hasReply = true;
    const message = parseMessage(text);
    if (message === undefined && this.isOtherVersion) return;
    if (message === undefined)
      return this.closeForViolation(`it sent what is not a message: ${text.slice(0, MAX_QUOTED_CHARS)}`);
    if (message.ev === "hello") this.isOtherVersion = message.muster !== PROTOCOL_VERSION;
    this.limits.recordReceived(message);
    this.onMessage(message);
  }

  private skipPreamble(length: number): void {
    this.preambleBytes += length;
    if (this.preambleBytes > PREAMBLE_BYTES)
      this.closeForViolation(
        `it printed more than ${PREAMBLE_BYTES} bytes before the agent answered; check the shell's start-up files`,
      );
  }

  private finish(end: AgentEnd): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.lineParts = [];
    this.onEnd(end);
  }
}

/** Resolves when the channel takes more, or has ended. */
async function waitForDrain({ stdin, ended }: Channel): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  try {
    await Promise.race([once(stdin, "drain", { signal }), once(stdin, "close", { signal }), ended]);
  } catch {
    // The channel failed: notify whoever waits for its end.
  } finally {
    waiting.abort();
  }
}
