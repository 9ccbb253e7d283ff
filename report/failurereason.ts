import type { Failure } from "../executor/schedule/events.js";

/** Returns why an attempt failed, on one line: "exit code 1: ValueError: no such survivor". */
export function formatReason({ exit, reason, detail }: Failure): string {
  if (detail === undefined) return reason;
  // A program that exits with 0 lacks outputs; the detail says what it did instead.
  return `${reason}${exit === 0 ? "; " : ": "}${detail}`;
}

/** Returns the failure without its detail if one of `lines`, which are shown below, has it. */
export function withoutShownDetail(failure: Failure, lines: readonly string[]): Failure {
  const { detail } = failure;
  if (detail === undefined || !lines.some((line) => line.trim() === detail)) return failure;
  return { ...failure, detail: undefined };
}
