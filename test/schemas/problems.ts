import { InvalidFileError, MusterError, type Problem } from "../../schemas/errors.js";

/** Problems as `line:column message`, the way a table of a test writes them. */
export function formatProblems(problems: Problem[]): string[] {
  return problems.map(({ line, column, message, file }) =>
    line === undefined ? `${file}: ${message}` : `${line}:${column} ${message}`,
  );
}

/** The problems that `load` throws; empty when it does not throw. */
export function catchProblems(load: () => unknown): Problem[] {
  try {
    load();
  } catch (error) {
    if (error instanceof InvalidFileError) return error.problems;
    throw error;
  }
  return [];
}

/** Exit status, message and next step of the error that `run` throws. */
export function catchError(
  run: () => unknown,
): { exit: number; message: string; next: string | undefined } | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof MusterError) return { exit: error.exitStatus, message: error.message, next: error.next };
    throw error;
  }
  return undefined;
}
