import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { findLastWords } from "../node/failuredetail.js";

const MAX_READ_BYTES = 8192;
const MAX_SHOWN_CHARS = 300;
/** Lines of a program's log that muster itself writes begin so. */
export const OWN_LINE_PREFIX = "== ";

/**
 * Returns the line of the log of an `ask` program that says why it failed, among those from the byte `from` on; undefined = there is none, or the
 * log cannot be read.
 */
export function readLastWords(log: string, from: number): string | undefined {
  try {
    const printed = readEnd(log, from)
      .split("\n")
      .filter((line) => !line.startsWith(OWN_LINE_PREFIX));
    return findLastWords(printed.join("\n"))?.trim().slice(0, MAX_SHOWN_CHARS);
  } catch {
    return undefined; // The exit code is reported all the same.
  }
}

function readEnd(file: string, from: number): string {
  const fd = openSync(file, "r");
  try {
    const { size } = fstatSync(fd);
    const start = Math.max(from, size - MAX_READ_BYTES);
    const bytes = Buffer.alloc(Math.max(0, size - start));
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, start));
  } finally {
    closeSync(fd);
  }
}
