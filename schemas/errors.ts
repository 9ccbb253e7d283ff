/** Where something stands in a file; lines and columns count from 1. */
export interface FilePosition {
  file: string;
  line?: number;
  column?: number;
}

/** One thing wrong with a file: what, where, and what to do next. */
export interface Problem extends FilePosition {
  message: string;
  hint?: string;
}

/**
 * An error that a person can act on. `code` tells it apart, `exit` is the status the program ends with
 * (the table in README.md), `next` says what to do. One place, cli/main.ts, prints it.
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

/** Wrong words on the command line (exit 64). */
export class UsageError extends MusterError {
  constructor(message: string, next?: string) {
    super("USAGE", 64, message, { next });
  }
}

/** A file or job that cannot be used (exit 65), with every problem found in it. */
export class InvalidFileError extends MusterError {
  readonly problems: Problem[];

  constructor(problems: Problem[]) {
    super("INVALID_FILE", 65, problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** A problem as one line, `file:line:column: message`, and its hint on a second one. */
export function formatProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(":");
  return `${place}: ${problem.message}${problem.hint === undefined ? "" : `\n    ${problem.hint}`}`;
}
