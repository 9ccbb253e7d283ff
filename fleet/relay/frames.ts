/** The frames that coordinator and relay exchange. templates/muster_relay/frames.py describes them. */

const MAGIC = Buffer.from("\x1emuster relay\x1e\n");
const HEADER_BYTES = 9;
/** Follows each frame of the relay: Slurm passes on the output of a step line by line. */
const FRAME_END = 10;
export const MAX_PAYLOAD_BYTES = 1 << 20;
/** The most bytes of one stream of a program that may be sent before any of them is acknowledged. */
export const WINDOW_BYTES = 1 << 20;
/** The most that may be printed before the relay's first frame. */
const MAX_PREAMBLE_BYTES = 64 * 1024;

/** What the coordinator sends. */
export const SENT = {
  start: 1,
  input: 2,
  inputEnd: 3,
  outputRead: 4,
  kill: 5,
  close: 6,
  request: 7,
  ping: 8,
} as const;

/** What the relay sends. */
export const RECEIVED = {
  hello: 65,
  started: 66,
  failed: 67,
  output: 68,
  errors: 69,
  exited: 70,
  inputTaken: 71,
  killed: 72,
  answer: 73,
  pong: 74,
} as const;

export interface Frame {
  kind: number;
  channel: number;
  payload: Buffer;
}

/** The relay, or what runs in its place, sends what no relay sends. */
export class FrameError extends Error {}

/** Returns the header of a frame, which its payload follows. */
export function encodeHeader(kind: number, channel: number, payloadBytes: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(payloadBytes, 0);
  header.writeUInt8(kind, 4);
  header.writeUInt32BE(channel, 5);
  return header;
}

/** Returns the payload of `SENT.outputRead`. `stream`: `RECEIVED.output` or `RECEIVED.errors`. */
export function encodeOutputRead(stream: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(5);
  payload.writeUInt8(stream, 0);
  payload.writeUInt32BE(bytes, 1);
  return payload;
}

/** Decodes the number of bytes, or the process id, in a payload. Throws FrameError. */
export function decodeCount({ kind, payload }: Frame): number {
  if (payload.length !== 4) throw new FrameError(`a frame of kind ${kind} has ${payload.length} bytes`);
  return payload.readUInt32BE(0);
}

/** Decodes an object of JSON. Throws FrameError. */
export function decodeObject(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FrameError("a payload is not an object of JSON");
}

/** Splits an answer into its object and the bytes behind it. Throws FrameError. */
export function decodeAnswer(payload: Buffer): { header: Record<string, unknown>; data: Buffer } {
  const end = payload.indexOf("\n");
  if (end < 0) throw new FrameError("an answer has no line");
  return { header: decodeObject(payload.subarray(0, end)), data: payload.subarray(end + 1) };
}

/** Splits a stream of bytes into frames, wherever it is cut. What precedes the relay's first frame is kept as `preamble`. */
export class FrameParser {
  private parts: Buffer[] = [];
  private bytes = 0;
  private hasBegun = false;
  private before = Buffer.alloc(0);

  /** What was printed before the first frame, as far as it has arrived. */
  get preamble(): string {
    return this.before.toString("utf8");
  }

  /** Yields the frames that `part` completes. Throws FrameError. */
  *push(part: Buffer): Generator<Frame> {
    const rest = this.hasBegun ? part : this.skipPreamble(part);
    if (rest.length > 0) this.parts.push(rest);
    this.bytes += rest.length;
    for (let frame = this.takeFrame(); frame !== undefined; frame = this.takeFrame()) yield frame;
  }

  private skipPreamble(part: Buffer): Buffer {
    const seen = Buffer.concat([this.before, part]);
    const begin = seen.indexOf(MAGIC);
    this.before = begin < 0 ? seen : seen.subarray(0, begin);
    if (this.before.length > MAX_PREAMBLE_BYTES) throw new FrameError("more than 64 KiB precede its first frame");
    if (begin < 0) return Buffer.alloc(0);
    this.hasBegun = true;
    return seen.subarray(begin + MAGIC.length);
  }

  private takeFrame(): Frame | undefined {
    if (this.bytes < HEADER_BYTES) return undefined;
    const first = this.parts[0]!;
    const header = first.length >= HEADER_BYTES ? first : this.join();
    const length = header.readUInt32BE(0);
    if (length > MAX_PAYLOAD_BYTES) throw new FrameError(`a frame has ${length} bytes`);
    const end = HEADER_BYTES + length;
    if (this.bytes <= end) return undefined;
    const whole = header.length > end ? header : this.join();
    if (whole[end] !== FRAME_END) throw new FrameError("a frame has no end");
    this.parts[0] = whole.subarray(end + 1);
    if (this.parts[0].length === 0) this.parts.shift();
    this.bytes -= end + 1;
    const frame = { kind: whole.readUInt8(4), channel: whole.readUInt32BE(5) };
    return { ...frame, payload: whole.subarray(HEADER_BYTES, end) };
  }

  /** Joins all that has arrived. */
  private join(): Buffer {
    const joined = Buffer.concat(this.parts, this.bytes);
    this.parts = [joined];
    return joined;
  }
}
