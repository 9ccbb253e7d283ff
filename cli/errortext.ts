import { toPrintableText } from "../report/format.js";
import { formatProblem, InvalidFileError, MusterError, type Problem } from "../schemas/errors.js";
import { explainSystemError } from "../schemas/systemerror.js";

/** Returns an error as text for people. Only a bug in muster is shown with its stack trace. */
export function formatError(caught: unknown): string {
  const error = explainSystemError(caught);
  if (error instanceof InvalidFileError) return toPrintableText(error.problems.map(formatProblem));
  if (error instanceof MusterError)
    return toPrintableText([`muster: ${error.message}${error.next === undefined ? "" : `\n${error.next}`}`]);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return toPrintableText(["muster: this is a bug in muster, please report it:", stack]);
}

/** The JSON document of a command that ends with an error. */
export interface ErrorDocument {
  error: { code: string; message: string; node?: string | undefined; next?: string | undefined; problems?: Problem[] };
  exit: number;
}

/** Returns an error as the document that `--json` prints. */
export function buildErrorDocument(caught: unknown): ErrorDocument {
  const error = explainSystemError(caught);
  const exit = exitStatusOf(error);
  if (error instanceof InvalidFileError)
    return { error: { code: error.code, message: error.message, problems: [...error.problems] }, exit };
  if (error instanceof MusterError) {
    const { code, message, node, next } = error;
    return { error: { code, message, node, next }, exit };
  }
  return { error: { code: "BUG", message: error instanceof Error ? error.message : String(error) }, exit };
}

/** Returns the exit status for an error. */
export function exitStatusOf(caught: unknown): number {
  const error = explainSystemError(caught);
  return error instanceof MusterError ? error.exitStatus : 1;
}
