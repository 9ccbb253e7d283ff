import { InvalidFileError, MusterError } from "../../schemas/errors.js";

/** Reads a file that a step has made. An invalid one is a MusterError (INVALID_FILE, 65) that says which step to correct. */
export function readMadeFile<T>(step: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    throw new MusterError("INVALID_FILE", error.message, {
      next: `Step ${step} has made this file. Correct that step, and start a new run with --fresh.`,
    });
  }
}
