/**
 * The messages between coordinator and agent: docs/protocol.md describes them. The types are generated from schemas/protocol.json.
 */
import type { DoneMessage, HeldAttempt, SplitMessage } from "../../../schemas/protocoltypes.js";

export * from "../../../schemas/protocoltypes.js";

/** An intermediate value of a chunk; null where its program reported one that is no finite number. */
export type ReportedValue = readonly [step: number, value: number | null];

/** A unit of a range; the protocol writes it in decimal, since it may exceed 2^53. */
export function decodeUnit(text: string | undefined): bigint | undefined {
  return text === undefined ? undefined : BigInt(text);
}

/** An attempt that an agent holds, as the scheduler takes it. */
export function decodeHeldAttempt({ end, ...held }: HeldAttempt) {
  return { ...held, end: decodeUnit(end) };
}

/** The answer to `split`, as the scheduler takes it. */
export function decodeSplit({ id, end, busy = false }: SplitMessage) {
  return { attempt: id, end: decodeUnit(end), busy };
}

/** The end of a successful attempt, as the scheduler takes it: what a warm worker loaded before its first chunk does not count. */
export function decodeFinished({ seconds, loading, end }: DoneMessage) {
  return { seconds: Math.max(0, seconds - (loading ?? 0)), loading, end: decodeUnit(end) };
}
