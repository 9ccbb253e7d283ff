import type { DoneMessage } from "../agent/protocol.js";

/** The longest detail: a line for people. The logs have everything. */
const MAX_DETAIL_CHARS = 300;
const MAX_WRITTEN = 3;
const TRACEBACK_HEAD = "Traceback (most recent call last):";
/** What programs print where a disk is full or a quota is used up (strerror of ENOSPC and EDQUOT). */
const DISK_FULL = /No space left on device|Disk quota exceeded/;
const NOT_FOUND = /not found|No such file or directory/;
const SIGKILL = 9;
/** Exit codes of POSIX shells: a program was not found, or could not be executed, or was killed by SIGKILL. */
const [NOT_EXECUTABLE_EXIT, NOT_FOUND_EXIT, KILLED_EXIT] = [126, 127, 128 + SIGKILL];

/**
 * Returns what a person needs to know about a failed attempt beside the reason, on one line: what was observed, or the line of its output
 * that says why. `tail`: the end of that output. Undefined where there is nothing to say.
 */
export function findDetail(done: DoneMessage, tail: string): string | undefined {
  const detail = describeDetail(done, tail)?.trim();
  if (detail === undefined || detail === "") return undefined;
  return detail.length <= MAX_DETAIL_CHARS ? detail : `${detail.slice(0, MAX_DETAIL_CHARS)}…`;
}

function describeDetail(done: DoneMessage, tail: string): string | undefined {
  const { exit, signal, missing, outOfMemory } = done;
  if (done.error !== undefined && done.error !== null) return undefined;
  if (outOfMemory !== undefined && (signal === SIGKILL || exit === KILLED_EXIT))
    return outOfMemory === "kernel log"
      ? "out of memory (kernel log)"
      : "out of memory (its cgroup counted an OOM kill)";
  // What the program printed last is not why it was killed.
  if (done.timeout || signal === SIGKILL) return undefined;
  if (exit === 0) return missing.length > 0 ? describeWritten(done) : undefined;
  const line = findLastWords(tail);
  if (exit === NOT_FOUND_EXIT) return explainShell("program not found", line, NOT_FOUND);
  if (exit === NOT_EXECUTABLE_EXIT) return explainShell("program cannot be executed", line, /./);
  return line;
}

function describeWritten({ written }: DoneMessage): string {
  if (written === undefined || written.length === 0) return "";
  return `the program wrote ${written.slice(0, MAX_WRITTEN).join(", ")}`;
}

/** Returns what the exit code means by the convention of shells, where the last line confirms it; else only that line. */
function explainShell(meaning: string, line: string | undefined, confirmed: RegExp): string | undefined {
  return line !== undefined && confirmed.test(line) ? `${meaning}: ${line}` : line;
}

/**
 * Returns the line that says why a program failed: that a disk is full; of a Python traceback the line of the exception; otherwise the last
 * line that is not blank. `tail`: the end of its output; undefined where that has none.
 */
export function findLastWords(tail: string): string | undefined {
  const lines = tail.split("\n").map((line) => line.trimEnd());
  const full = lines.findLast((line) => DISK_FULL.test(line));
  if (full !== undefined) return full;
  const written = lines.filter((line) => line !== "");
  const head = written.lastIndexOf(TRACEBACK_HEAD);
  const raised = head < 0 ? undefined : written.slice(head + 1).find((line) => !/^\s/.test(line));
  // An indented line continues an earlier one.
  return raised ?? written.findLast((line) => !/^\s/.test(line)) ?? written.at(-1);
}
