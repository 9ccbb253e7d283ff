/** A position in a file; lines and columns count from 1. */
export interface FilePosition {
  file: string;
  line?: number;
  column?: number;
}

/** One problem in a file: its position, what is wrong, and a hint what to do. */
export interface Problem extends FilePosition {
  message: string;
  hint?: string;
}

/**
 * An error that a user can act on. `code` identifies it, `exitStatus` is the exit status of the command (see the table in README.md),
 * and `next` is the next action. Only cli/main.ts prints it.
 */
export class MusterError extends Error {
  readonly code: string;
  readonly exitStatus: number;
  readonly next: string | undefined;

  constructor(code: string, exit: number, message: string, options: { next?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "MusterError";
    this.code = code;
    this.exitStatus = exit;
    this.next = options.next;
  }
}

/** Wrong usage of the command line (exit 64). */
export class UsageError extends MusterError {
  constructor(message: string, next?: string) {
    super("USAGE", 64, message, { next });
  }
}

/** An invalid file or job (exit 65), with every problem found in it. */
export class InvalidFileError extends MusterError {
  readonly problems: Problem[];

  constructor(problems: Problem[]) {
    super("INVALID_FILE", 65, problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** Formats a problem as one line, `file:line:column: message`, with its hint on a second line. */
export function formatProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(":");
  return `${place}: ${problem.message}${problem.hint === undefined ? "" : `\n    ${problem.hint}`}`;
}
