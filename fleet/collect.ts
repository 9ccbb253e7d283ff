import type { Readable } from "node:stream";

/** Keeps the first `cap` bytes of a stream and reads the rest away. Resolves with them, as text, when asked. */
export function keepFirst(stream: Readable, cap: number): () => string {
  const parts: Buffer[] = [];
  let left = cap;
  stream.on("data", (part: Buffer) => {
    if (left <= 0) return;
    parts.push(part.subarray(0, left));
    left -= part.length;
  });
  return () => Buffer.concat(parts).toString("utf8");
}

/** What `exec` keeps of each stream where its caller does not say. */
export const USUAL_CAP = 1024 * 1024;
