import type { Channel } from "../../../fleet/connection.js";
import { failpoint } from "../failpoint.js";
import { LineLimits, PREAMBLE_BYTES } from "./linelimits.js";
import { parseMessage } from "./messages.js";
import type { AgentCommand, AgentMessage } from "./protocol.js";

/** The first line of an agent. */
const FIRST_REPLY = /^\{"ev": ?"(hello|refused)"/;
/** Bytes of a line's beginning that say what it is, and characters of a bad line that are shown. */
const PREFIX_BYTES = 16;
const MAX_QUOTED_CHARS = 120;

/** Why no more will come from an agent. `violation`: it broke the protocol, so that nothing it says can be relied on. */
export interface AgentEnd {
  kind: "lost" | "violation";
  reason: string;
}

/**
 * The coordinator's end of an agent channel: JSON lines both ways. What is sent within one turn of the event loop goes out
 * as one write. Lines before the agent's `hello` or `refused` (a shell's start-up file may print) are passed over. A line that
 * is too long, or not of the protocol, ends the channel.
 */
export class AgentChannel {
  private readonly limits = new LineLimits();
  private outgoing: AgentCommand[] = [];
  private hasReply = false;
  private isClosed = false;
  private isDetached = false;
  /** Of the line that is coming in. */
  private lineParts: Buffer[] = [];
  private lineBytes = 0;
  /** Passed over so far. */
  private preambleBytes = 0;

  /** `receive` gets every message; `ended` is called once when no more will come. */
  constructor(
    private readonly channel: Channel,
    private readonly onMessage: (message: AgentMessage) => void,
    private readonly onEnd: (end: AgentEnd) => void,
  ) {
    let errors = "";
    channel.stdout.on("data", (bytes: Buffer) => this.receiveBytes(bytes));
    channel.stderr.on("data", (bytes: Buffer) => {
      errors = (errors + bytes.toString()).slice(-2000);
    });
    channel.stdin.on("error", () => {});
    void channel.ended.then((ending) => {
      const how = ending.kind === "lost" ? ending.reason : ending.kind === "exit" ? `exit ${ending.code}` : ending.kind;
      const said = errors.trim() === "" ? "" : `: ${errors.trim()}`;
      this.finish({ kind: "lost", reason: `the agent's channel ended (${how})${said}` });
    });
  }

  send(message: AgentCommand): void {
    this.limits.recordSent(message);
    if (this.outgoing.length === 0) setImmediate(() => this.flush());
    this.outgoing.push(message);
  }

  /** Lets go of the channel: the agent goes on without a coordinator. */
  detach(): void {
    this.flush();
    this.isDetached = true;
    this.channel.stdin.end();
    this.channel.destroy();
  }

  private flush(): void {
    if (this.outgoing.length === 0) return;
    const messages = this.outgoing;
    this.outgoing = [];
    if (this.channel.stdin.writable)
      this.channel.stdin.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
    for (const { op } of messages) failpoint(`sent-${op}`);
  }

  private receiveBytes(bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0 && this.isOpen; end = bytes.indexOf(10, from)) {
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
    if (message === undefined)
      return this.closeForViolation(`it sent what is not a message: ${text.slice(0, MAX_QUOTED_CHARS)}`);
    this.limits.recordReceived(message);
    this.onMessage(message);
  }

  /** A shell's start-up file may print, but not for ever. */
  private skipPreamble(length: number): void {
    this.preambleBytes += length;
    if (this.preambleBytes > PREAMBLE_BYTES)
      this.closeForViolation(
        `it printed more than ${PREAMBLE_BYTES} bytes before the agent answered; look at the shell's start-up files`,
      );
  }

  /** Ends the channel: the agent broke the protocol. */
  closeForViolation(reason: string): void {
    this.finish({ kind: "violation", reason });
    this.channel.destroy();
  }

  private finish(end: AgentEnd): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.lineParts = [];
    this.onEnd(end);
  }
}
