import type { Writers } from "../report/writers.js";
import { escapeUnsafe } from "../schemas/escape.js";

/** The standard streams: nothing else writes to them, but report/live.ts, which redraws lines on stderr. */
export const terminal: Writers = {
  out: (text) => void process.stdout.write(`${escapeUnsafe(text)}\n`),
  err: (text) => void process.stderr.write(`${escapeUnsafe(text)}\n`),
};

/** Prints on stdout what a program printed: byte for byte, but on a terminal as text on which nothing in it can act. */
export function printBytes(bytes: Buffer): void {
  const { stdout } = process;
  stdout.write(stdout.isTTY ? escapeUnsafe(bytes.toString("utf8")) : bytes);
}

/** Resolves when stdout has taken everything that was written to it. */
export function flushStdout(): Promise<void> {
  return new Promise((resolve) => process.stdout.write("", () => resolve()));
}
