import type { Channel } from "../../../fleet/connection.js";
import { killPoint } from "../killpoint.js";
import { parseMessage } from "./messages.js";
import type { FromAgent, ToAgent } from "./protocol.js";

/** Longest line that an agent may send, bytes: its inline results are capped, so a longer one is not from our agent. */
const LINE_LIMIT = 32 << 20;

/** The first line of an agent. */
const REPLY = /^\{"ev": ?"(hello|refused)"/;

/**
 * The coordinator's end of an agent channel: JSON lines both ways. What is sent within one turn of the event loop goes out
 * as one write. Lines before the agent's `hello` or `refused` (a shell's start-up file may print) are passed over.
 */
export class AgentChannel {
  private outgoing: ToAgent[] = [];
  private greeted = false;
  private parts: Buffer[] = [];
  private held = 0;

  /** `receive` gets every message; `ended` is called once, with the reason, when no more will come. */
  constructor(
    private readonly channel: Channel,
    private readonly receive: (message: FromAgent) => void,
    ended: (reason: string) => void,
  ) {
    let errors = "";
    channel.stdout.on("data", (bytes: Buffer) => this.take(bytes));
    channel.stderr.on("data", (bytes: Buffer) => {
      errors = (errors + bytes.toString()).slice(-2000);
    });
    channel.stdin.on("error", () => {});
    void channel.ended.then((ending) => {
      const how = ending.kind === "lost" ? ending.reason : ending.kind === "exit" ? `exit ${ending.code}` : ending.kind;
      ended(`the agent's channel ended (${how})${errors.trim() === "" ? "" : `: ${errors.trim()}`}`);
    });
  }

  send(message: ToAgent): void {
    if (this.outgoing.length === 0) setImmediate(() => this.flush());
    this.outgoing.push(message);
  }

  /** Lets go of the channel: the agent goes on without a coordinator. */
  detach(): void {
    this.flush();
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
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      this.parts.push(bytes.subarray(from, end));
      this.line(this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts));
      this.parts = [];
      this.held = 0;
      from = end + 1;
    }
    if (from === bytes.length) return;
    this.parts.push(bytes.subarray(from));
    this.held += bytes.length - from;
    if (this.held > LINE_LIMIT) this.channel.destroy();
  }

  private line(bytes: Buffer): void {
    const text = bytes.toString("utf8");
    if (!this.greeted && !REPLY.test(text)) return;
    this.greeted = true;
    const message = parseMessage(text);
    if (message !== undefined) this.receive(message);
    else this.channel.destroy();
  }
}
