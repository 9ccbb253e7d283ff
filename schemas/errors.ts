import { type ErrorCode, EXIT_STATUS } from "./errorcodes.js";

/** A position in a file; lines and columns count from 1. `pointer`: a JSON pointer (RFC 6901) into an object that a program passes. */
export interface FilePosition {
  file: string;
  line?: number;
  column?: number;
  pointer?: string;
}

/** One problem in a file: its position, what is wrong, and a hint what to do. */
export interface Problem extends FilePosition {
  message: string;
  hint?: string;
}

/** `next`: the next action. `node`: the name of the node that the error concerns; it precedes the message. */
interface ErrorDetails {
  next?: string;
  cause?: unknown;
  node?: string;
}

/**
 * An error that a user can act on. `code` identifies it, `exitStatus` is the exit status of the command (see the table in docs/failures.md),
 * and `next` is the next action. Only cli/main.ts prints it.
 */
export class MusterError extends Error {
  readonly code: ErrorCode;
  readonly exitStatus: number;
  readonly next: string | undefined;
  /** The name of the node that the error concerns. */
  readonly node: string | undefined;
  /** The message without the name of the node. */
  readonly reason: string;

  /** The message is `node: reason` if the error concerns a node, else `reason`. */
  constructor(code: ErrorCode, reason: string, { next, cause, node }: ErrorDetails = {}) {
    super(node === undefined ? reason : `${node}: ${reason}`, { cause });
    this.name = "MusterError";
    this.code = code;
    this.exitStatus = EXIT_STATUS[code];
    this.next = next;
    this.node = node;
    this.reason = reason;
  }

  /** Returns the text for a row that already names the node: without its name if the error concerns that node. */
  textFor(node: string): string {
    return this.node === node ? this.reason : this.message;
  }
}

/** Wrong usage of the command line (exit 64). */
export class UsageError extends MusterError {
  constructor(message: string, next?: string) {
    super("USAGE", message, { next });
  }
}

/** An invalid file or job (exit 65), with every problem found in it. */
export class InvalidFileError extends MusterError {
  readonly problems: Problem[];

  constructor(problems: Problem[]) {
    super("INVALID_FILE", problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** Formats a problem as one line, `file:line:column: message` or `job#/json/pointer: message`, with its hint on a second line. */
export function formatProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(":");
  const pointer = problem.pointer === undefined ? "" : `#${problem.pointer}`;
  return `${place}${pointer}: ${problem.message}${problem.hint === undefined ? "" : `\n    ${problem.hint}`}`;
}
