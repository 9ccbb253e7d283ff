import type { FromAgent, ToAgent } from "./protocol.js";

/** Bytes of a line that nothing larger was asked for. */
const USUAL_BYTES = 64 << 10;
/** Bytes of the first lines of a connection, until the agent says hello: a shell's start-up file may print. */
export const PREAMBLE_BYTES = 1 << 20;
/** Bytes that stand beside the content of an output (path, hash), and of what one script of a `look` printed. */
const OUTPUT_BYTES = 8 << 10;
const ANSWER_BYTES = 4 << 20;

const DONE = Buffer.from('{"ev":"done"');
const LOOKED = Buffer.from('{"ev":"looked"');

/**
 * How long a line of an agent may be: results and the answers of scripts as long as what was asked for, all others 64 KiB.
 * A longer line is not from our agent, and is not waited for: parsing it would hold up every other node.
 */
export class LineLimits {
  /** Of a file that rides on the channel, in base64. */
  private inlineBytes = 0;
  private outputs = 0;
  private scripts = 0;

  /** Takes notice of what the agent was asked for. */
  sent(message: ToAgent): void {
    if (message.op === "open") this.inlineBytes = Math.ceil(message.inline / 3) * 4;
    else if (message.op === "look") this.scripts = Math.max(this.scripts, message.scripts.length);
    else if (message.op === "spec") this.outputs = Math.max(this.outputs, message.spec.outputs.length);
    else if (message.op === "start" && typeof message.spec !== "string")
      this.outputs = Math.max(this.outputs, message.spec.outputs.length);
  }

  /** Scripts that have been answered are not answered again. */
  received(message: FromAgent): void {
    if (message.ev === "looked") this.scripts = 0;
  }

  /** Bytes of a line of `length` bytes so far, at most. `head`: its first bytes. */
  limitOf(length: number, head: () => Buffer): number {
    if (length <= USUAL_BYTES) return USUAL_BYTES;
    const first = head();
    if (beginsWith(first, DONE))
      return USUAL_BYTES + 2 * this.inlineBytes + this.outputs * (this.inlineBytes + OUTPUT_BYTES);
    if (beginsWith(first, LOOKED)) return USUAL_BYTES + this.scripts * ANSWER_BYTES;
    return USUAL_BYTES;
  }
}

function beginsWith(head: Buffer, prefix: Buffer): boolean {
  return head.length >= prefix.length && prefix.compare(head, 0, prefix.length) === 0;
}
