import type { ExitReason } from "../connection.js";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { decodeObject, FrameError } from "./frames.js";

const MAX_TEXT_CHARACTERS = 300;

/** Returns a text of the relay, which may be anything, with a length for a message. */
export function shorten(text: unknown): string {
  return `${text}`.slice(0, MAX_TEXT_CHARACTERS);
}

/** Decodes how a program has exited. Throws FrameError. */
export function decodeExit(payload: Buffer): ExitReason {
  const { code, signal } = decodeObject(payload);
  if (Number.isInteger(code)) return { kind: "exit", code: code as number };
  if (typeof signal === "string") return { kind: "signal", signal: shorten(signal) };
  throw new FrameError("it does not say how a program has exited");
}

/** Converts the relay's answer that a program cannot be started. */
export function createStartError(where: NodeStep, { error, message }: Record<string, unknown>): ConnectionError {
  const code = error === "ENOENT" ? "MISSING" : error === "EACCES" ? "DENIED" : "SHELL";
  return new ConnectionError(code, where, `cannot ${where.step}: ${shorten(message)}`);
}

/** Says how the relay itself has ended. */
export function describeEnd(reason: ExitReason): string {
  switch (reason.kind) {
    case "exit":
      return `the relay ended with exit code ${reason.code}`;
    case "signal":
      return `the relay was killed by ${reason.signal}`;
    case "timeout":
      return `the relay ended after ${reason.seconds} s`;
    case "lost":
      return reason.reason;
    default:
      return reason satisfies never;
  }
}
