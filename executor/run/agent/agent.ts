import type { Channel } from "../../../fleet/connection.js";
import { killPoint } from "../killpoint.js";
import { LineLimits, PREAMBLE_BYTES } from "./linelimits.js";
import { parseMessage } from "./messages.js";
import type { FromAgent, ToAgent } from "./protocol.js";

/** The first line of an agent. */
const REPLY = /^\{"ev": ?"(hello|refused)"/;
/** Bytes of a line's beginning that say what it is, and characters of a bad line that are shown. */
const HEAD_BYTES = 16;
const SHOWN_LENGTH = 120;

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
  private outgoing: ToAgent[] = [];
  private isGreeted = false;
  private isClosed = false;
  private isDetached = false;
  /** Of the line that is coming in. */
  private parts: Buffer[] = [];
  private partsBytes = 0;
  /** Passed over so far. */
  private preambleBytes = 0;

  /** `receive` gets every message; `ended` is called once when no more will come. */
  constructor(
    private readonly channel: Channel,
    private readonly receive: (message: FromAgent) => void,
    private readonly ended: (end: AgentEnd) => void,
  ) {
    let errors = "";
    channel.stdout.on("data", (bytes: Buffer) => this.take(bytes));
    channel.stderr.on("data", (bytes: Buffer) => {
      errors = (errors + bytes.toString()).slice(-2000);
    });
    channel.stdin.on("error", () => {});
    void channel.ended.then((ending) => {
      const how = ending.kind === "lost" ? ending.reason : ending.kind === "exit" ? `exit ${ending.code}` : ending.kind;
      const said = errors.trim() === "" ? "" : `: ${errors.trim()}`;
      this.end({ kind: "lost", reason: `the agent's channel ended (${how})${said}` });
    });
  }

  send(message: ToAgent): void {
    this.limits.sent(message);
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
    for (const { op } of messages) killPoint(`sent-${op}`);
  }

  private take(bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0 && this.isOpen; end = bytes.indexOf(10, from)) {
      this.add(bytes.subarray(from, end));
      this.line();
      from = end + 1;
    }
    if (from < bytes.length && this.isOpen) this.add(bytes.subarray(from));
  }

  private get isOpen(): boolean {
    return !this.isClosed && !this.isDetached;
  }

  private add(bytes: Buffer): void {
    this.parts.push(bytes);
    this.partsBytes += bytes.length;
    const limit = this.isGreeted ? this.limits.limitOf(this.partsBytes, () => this.head()) : PREAMBLE_BYTES;
    if (this.partsBytes > limit)
      this.violate(`it sent a line of more than ${limit} bytes: ${this.head().toString("latin1")}...`);
  }

  private head(): Buffer {
    let count = 0;
    for (let bytes = 0; count < this.parts.length && bytes < HEAD_BYTES; count++) bytes += this.parts[count]!.length;
    return Buffer.concat(this.parts.slice(0, count)).subarray(0, HEAD_BYTES);
  }

  private line(): void {
    if (!this.isOpen) return;
    const text = (this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts)).toString("utf8");
    this.parts = [];
    this.partsBytes = 0;
    if (!this.isGreeted && !REPLY.test(text)) return this.passOver(text.length);
    this.isGreeted = true;
    const message = parseMessage(text);
    if (message === undefined) return this.violate(`it sent what is not a message: ${text.slice(0, SHOWN_LENGTH)}`);
    this.limits.received(message);
    this.receive(message);
  }

  /** A shell's start-up file may print, but not for ever. */
  private passOver(length: number): void {
    this.preambleBytes += length;
    if (this.preambleBytes > PREAMBLE_BYTES)
      this.violate(
        `it printed more than ${PREAMBLE_BYTES} bytes before the agent answered; look at the shell's start-up files`,
      );
  }

  /** Ends the channel: the agent broke the protocol. */
  violate(reason: string): void {
    this.end({ kind: "violation", reason });
    this.channel.destroy();
  }

  private end(end: AgentEnd): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.parts = [];
    this.ended(end);
  }
}
