import { toPrintableText } from "../report/format.js";
import { formatProblem, InvalidFileError, MusterError } from "../schemas/errors.js";

/** Returns an error as text for people. Only a bug in muster is shown with its stack trace. */
export function formatError(error: unknown): string {
  if (error instanceof InvalidFileError) return toPrintableText(error.problems.map(formatProblem));
  if (error instanceof MusterError)
    return toPrintableText([`muster: ${error.message}${error.next === undefined ? "" : `\n${error.next}`}`]);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return toPrintableText(["muster: this is a bug in muster, please report it:", stack]);
}

/** Returns the exit status for an error. */
export function exitStatusOf(error: unknown): number {
  return error instanceof MusterError ? error.exitStatus : 1;
}
