import type { StringDecoder } from "node:string_decoder";
import type { Writers } from "../report/writers.js";
import { escapeUnsafe } from "../schemas/escape.js";

/** The standard streams. Only this file, question.ts and report/progresstty.ts, which redraws lines on stderr, write to them. */
export const terminal: Writers = {
  out: (text) => void process.stdout.write(`${escapeUnsafe(text)}\n`),
  err: (text) => void process.stderr.write(`${escapeUnsafe(text)}\n`),
};

/**
 * Prints a piece of a stream of a program on stdout: byte for byte, or on a terminal as text in which only carriage returns and line
 * breaks work.
 */
export function printPiece(bytes: Buffer, decoder: StringDecoder): void {
  const { stdout } = process;
  if (!stdout.isTTY) stdout.write(bytes);
  else stdout.write(decoder.write(bytes).split("\r").map(escapeUnsafe).join("\r"));
}

/** Prints the output of a program on stdout: byte for byte, or on a terminal as text without escape sequences. */
export function printBytes(bytes: Buffer): void {
  const { stdout } = process;
  stdout.write(stdout.isTTY ? escapeUnsafe(bytes.toString("utf8")) : bytes);
}

/** Resolves when stdout has room for more, so that a slow reader does not fill this machine's memory; at once where it is closed. */
export function waitForStdout(): Promise<void> {
  const { stdout } = process;
  if (!stdout.writableNeedDrain || stdout.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = () => {
      stdout.off("drain", settle);
      stdout.off("close", settle);
      resolve();
    };
    stdout.on("drain", settle);
    stdout.on("close", settle);
  });
}

/** Calls `act` when the reader of stdout has closed it. Returns a function that stops that. */
export function onStdoutClosed(act: () => void): () => void {
  process.stdout.on("error", act);
  return () => process.stdout.off("error", act);
}

/** Resolves when everything that was written to stdout has been flushed. */
export function flushStdout(): Promise<void> {
  return new Promise((resolve) => process.stdout.write("", () => resolve()));
}
