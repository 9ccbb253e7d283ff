import { MusterError } from "../schemas/errors.js";

/** Turns an error of a system call on the run directory into a MusterError. Returns any other error as it is. */
export function explainReadError(error: unknown): unknown {
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (error instanceof MusterError || code === undefined || syscall === undefined) return error;
  return new MusterError("NOT_READ", `cannot read ${path ?? "the run directory"} (${code})`, {
    next: "Check its owner and mode, or run muster as the user that ran the job.",
  });
}
