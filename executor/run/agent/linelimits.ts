import type { AgentCommand, AgentMessage } from "./protocol.js";

/** Bytes of a line that nothing larger was asked for. */
const DEFAULT_LINE_BYTES = 64 << 10;
/** Bytes of the first lines of a connection, until the agent says hello: a shell's start-up file may print. */
export const PREAMBLE_BYTES = 1 << 20;
/** Bytes that stand beside the content of an output (path, hash), and of what one script of a `look` printed. */
const OUTPUT_OVERHEAD_BYTES = 8 << 10;
const SCRIPT_RESULT_BYTES = 4 << 20;

const DONE_PREFIX = Buffer.from('{"ev":"done"');
const LOOKED_PREFIX = Buffer.from('{"ev":"looked"');

/**
 * How long a line of an agent may be: results and the answers of scripts as long as what was asked for, all others 64 KiB.
 * A longer line is not from our agent, and is not waited for: parsing it would hold up every other node.
 */
export class LineLimits {
  /** Of a file that rides on the channel, in base64. */
  private inlineBytes = 0;
  private outputCount = 0;
  private scriptCount = 0;

  /** Takes notice of what the agent was asked for. */
  recordSent(message: AgentCommand): void {
    if (message.op === "open") this.inlineBytes = Math.ceil(message.inline / 3) * 4;
    else if (message.op === "look") this.scriptCount = Math.max(this.scriptCount, message.scripts.length);
    else if (message.op === "spec") this.outputCount = Math.max(this.outputCount, message.spec.outputs.length);
    else if (message.op === "start" && typeof message.spec !== "string")
      this.outputCount = Math.max(this.outputCount, message.spec.outputs.length);
  }

  /** Scripts that have been answered are not answered again. */
  recordReceived(message: AgentMessage): void {
    if (message.ev === "looked") this.scriptCount = 0;
  }

  /** Bytes of a line of `length` bytes so far, at most. `head`: its first bytes. */
  maxLineBytes(length: number, head: () => Buffer): number {
    if (length <= DEFAULT_LINE_BYTES) return DEFAULT_LINE_BYTES;
    const first = head();
    if (startsWith(first, DONE_PREFIX))
      return DEFAULT_LINE_BYTES + 2 * this.inlineBytes + this.outputCount * (this.inlineBytes + OUTPUT_OVERHEAD_BYTES);
    if (startsWith(first, LOOKED_PREFIX)) return DEFAULT_LINE_BYTES + this.scriptCount * SCRIPT_RESULT_BYTES;
    return DEFAULT_LINE_BYTES;
  }
}

function startsWith(head: Buffer, prefix: Buffer): boolean {
  return head.length >= prefix.length && prefix.compare(head, 0, prefix.length) === 0;
}
