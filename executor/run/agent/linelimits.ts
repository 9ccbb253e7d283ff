import type { AgentCommand, AgentMessage, AttemptSpec } from "./protocol.js";

const DEFAULT_LINE_BYTES = 64 << 10;
/** Of all lines before the agent's first message: a shell's start-up file may print. */
export const PREAMBLE_BYTES = 1 << 20;
/** Of an output without its content: path and hash. */
const OUTPUT_OVERHEAD_BYTES = 8 << 10;
/** Of all outputs whose names are found at the end; the agent fails an attempt with longer names. */
const FOUND_OUTPUTS_BYTES = 8 << 20;
/** Of the intermediate values of an attempt, as many as it may report. */
const VALUES_BYTES = 512 << 10;
/** Of a state without the content of its files; the agent keeps none with longer names. */
const STATE_BYTES = 2 << 20;
/** Of what one script of a `look` printed. */
const SCRIPT_RESULT_BYTES = 4 << 20;

const DONE_PREFIX = Buffer.from('{"ev":"done"');
const SAVED_PREFIX = Buffer.from('{"ev":"saved"');
const LOOKED_PREFIX = Buffer.from('{"ev":"looked"');

/**
 * What results may hold: how many named outputs, whether others are found, whether there is a state, and how large outputs are that are a part
 * of the message.
 */
export interface ExpectedOutputs {
  readonly named: number;
  readonly found: boolean;
  readonly state: boolean;
  readonly inlineBytes: number;
}

/** What the results of any run may hold, as far as is known without its job. */
export const ANY_OUTPUTS: ExpectedOutputs = { named: 1000, found: true, state: true, inlineBytes: 16 << 10 };

/**
 * How long a line of an agent may be: 64 KiB, and for `done` and `looked` as long as what was asked for. A longer line does not
 * come from muster's agent, and to parse it would delay all other nodes.
 */
export class LineLimits {
  /** Of a file in base64 that is part of a message. */
  private inlineBytes: number;
  private outputCount: number;
  private findsOutputs: boolean;
  private hasState: boolean;
  private scriptCount = 0;

  /** `expected`: of attempts that an earlier coordinator may have started, whose results are sent again. */
  constructor({ named, found, state, inlineBytes }: ExpectedOutputs) {
    this.outputCount = named;
    this.findsOutputs = found;
    this.hasState = state;
    this.inlineBytes = toBase64Bytes(inlineBytes);
  }

  /** Notes what the agent was asked for. */
  recordSent(message: AgentCommand): void {
    if (message.op === "open") this.inlineBytes = Math.max(this.inlineBytes, toBase64Bytes(message.inline));
    else if (message.op === "look") this.scriptCount = Math.max(this.scriptCount, message.scripts.length);
    else if (message.op === "spec") this.recordSpec(message.spec);
    else if (message.op === "start" && typeof message.spec !== "string") this.recordSpec(message.spec);
  }

  private recordSpec({ outputs, found, state }: AttemptSpec): void {
    this.outputCount = Math.max(this.outputCount, outputs.length);
    this.findsOutputs ||= found !== undefined;
    this.hasState ||= state !== undefined;
  }

  /** Notes what the agent has answered: it answers scripts once. */
  recordReceived(message: AgentMessage): void {
    if (message.ev === "looked") this.scriptCount = 0;
  }

  /** The limit in bytes of a line that is `length` bytes long so far. `prefix` returns its first bytes. */
  maxLineBytes(length: number, prefix: () => Buffer): number {
    if (length <= DEFAULT_LINE_BYTES) return DEFAULT_LINE_BYTES;
    const first = prefix();
    if (startsWith(first, DONE_PREFIX))
      return (
        DEFAULT_LINE_BYTES +
        2 * this.inlineBytes +
        VALUES_BYTES +
        this.outputCount * (this.inlineBytes + OUTPUT_OVERHEAD_BYTES) +
        (this.findsOutputs ? FOUND_OUTPUTS_BYTES : 0) +
        (this.hasState ? STATE_BYTES : 0)
      );
    if (startsWith(first, SAVED_PREFIX)) return DEFAULT_LINE_BYTES + (this.hasState ? STATE_BYTES : 0);
    if (startsWith(first, LOOKED_PREFIX)) return DEFAULT_LINE_BYTES + this.scriptCount * SCRIPT_RESULT_BYTES;
    return DEFAULT_LINE_BYTES;
  }
}

function toBase64Bytes(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.length >= prefix.length && prefix.compare(bytes, 0, prefix.length) === 0;
}
