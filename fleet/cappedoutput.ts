import type { Readable } from "node:stream";

/** Bytes that `exec` keeps of each output stream unless its caller sets `cap`. */
export const DEFAULT_CAP_BYTES = 1024 * 1024;

/** The first bytes of a stream, as captured so far. */
export interface CappedOutput {
  text(): string;
  /** Resolves when the stream has ended or closed. Never rejects. */
  ended: Promise<void>;
}

/** Captures the first `capBytes` bytes of a stream and discards the rest, so that the writer never blocks. */
export function captureOutput(stream: Readable, capBytes: number): CappedOutput {
  const parts: Buffer[] = [];
  let left = capBytes;
  stream.on("data", (part: Buffer) => {
    if (left <= 0) return;
    parts.push(part.subarray(0, left));
    left -= part.length;
  });
  const ended = new Promise<void>((resolve) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
  });
  return { text: () => Buffer.concat(parts).toString("utf8"), ended };
}
