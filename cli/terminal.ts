import type { Writers } from "../report/writers.js";
import { escapeUnsafe } from "../schemas/escape.js";

/** The standard streams. Only this file writes to them, and report/progresstty.ts, which redraws lines on stderr. */
export const terminal: Writers = {
  out: (text) => void process.stdout.write(`${escapeUnsafe(text)}\n`),
  err: (text) => void process.stderr.write(`${escapeUnsafe(text)}\n`),
};

/** Prints the output of a program on stdout: byte for byte, or on a terminal as text without escape sequences. */
export function printBytes(bytes: Buffer): void {
  const { stdout } = process;
  stdout.write(stdout.isTTY ? escapeUnsafe(bytes.toString("utf8")) : bytes);
}

/** Resolves when everything that was written to stdout has been flushed. */
export function flushStdout(): Promise<void> {
  return new Promise((resolve) => process.stdout.write("", () => resolve()));
}
