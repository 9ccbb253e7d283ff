import { MusterError } from "../../../schemas/errors.js";

/** Rejects with CHANGED where the file is gone. */
export async function explainMissing<T>(source: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new MusterError("CHANGED", `${source} is gone since the run began`, {
      next: "Put it back and run the same command again, or start a new run with --fresh.",
    });
  }
}

/** Creates the error for an input whose content is not the one that was hashed. */
export function createInputChangedError(source: string): MusterError {
  return new MusterError("CHANGED", `${source} has changed since the run began`, {
    next: "Do not change inputs while a run uses them. To use the new content, start a new run with --fresh.",
  });
}
