import type { Readable } from "node:stream";

/** What `exec` keeps of each stream where its caller does not say. */
export const DEFAULT_CAP_BYTES = 1024 * 1024;

/** The first bytes of a stream. */
export interface CappedOutput {
  /** What has come so far. */
  text(): string;
  /** Resolves when nothing more will come. */
  ended: Promise<void>;
}

/** Keeps the first `cap` bytes of a stream and reads the rest away. */
export function captureOutput(stream: Readable, cap: number): CappedOutput {
  const parts: Buffer[] = [];
  let left = cap;
  stream.on("data", (part: Buffer) => {
    if (left <= 0) return;
    parts.push(part.subarray(0, left));
    left -= part.length;
  });
  const read = new Promise<void>((resolve) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
  });
  return { text: () => Buffer.concat(parts).toString("utf8"), ended: read };
}
