import type { Readable } from "node:stream";
import type { ExecOptions } from "./connection.js";

/** Bytes that `exec` keeps of each output stream unless its caller sets `cap`. */
const DEFAULT_CAP_BYTES = 1024 * 1024;

/** The first bytes of a stream, as captured so far. */
export interface CappedOutput {
  text(): string;
  /** Resolves when the stream has ended or closed. Never rejects. */
  ended: Promise<void>;
}

/** Captures both output streams of a command. */
export function captureStreams(
  { stdout, stderr }: { stdout: Readable; stderr: Readable },
  { cap = DEFAULT_CAP_BYTES, onOutput }: ExecOptions,
): { stdout: CappedOutput; stderr: CappedOutput } {
  if (onOutput !== undefined) {
    stdout.on("data", (bytes: Buffer) => onOutput("stdout", bytes));
    stderr.on("data", (bytes: Buffer) => onOutput("stderr", bytes));
  }
  return { stdout: captureOutput(stdout, cap), stderr: captureOutput(stderr, cap) };
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
