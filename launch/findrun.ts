import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { findRuns, hasJournal } from "../executor/run/record/runstatus.js";
import { UsageError } from "../schemas/errors.js";
import { suggest } from "../schemas/suggest.js";
import { describeSystemError } from "../schemas/systemerror.js";

/** Returns the run directory with this path, or with this name in ./runs; undefined where there is neither. */
export function findRunDirectory(pathOrName: string): string | undefined {
  return listPlaces(pathOrName).find(hasJournal);
}

/** Returns the run directory as `findRunDirectory` does. Throws UsageError where there is none, or where it cannot be looked into. */
export function requireRunDirectory(pathOrName: string): string {
  const path = findRunDirectory(pathOrName);
  if (path !== undefined) return path;
  throw explainNoRun(pathOrName, "is neither a run directory nor the name of one in ./runs");
}

/** Returns the folder or run directory that the argument names. Throws UsageError where there is none. */
export function findRunsFolder(folderOrRun: string): string {
  if (findRuns(folderOrRun).length > 0) return folderOrRun;
  const run = findRunDirectory(folderOrRun);
  if (run !== undefined) return run;
  if (existsSync(folderOrRun)) return folderOrRun;
  throw explainNoRun(folderOrRun, "there is no such folder, and no run of that name in ./runs");
}

/** Returns the error for a name that leads to no run: the system's refusal where it refuses to look there, else `otherwise`. */
export function explainNoRun(pathOrName: string, otherwise: string): UsageError {
  for (const place of listPlaces(pathOrName)) {
    try {
      statSync(join(place, "journal.ndjson"));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const refusal = describeSystemError(error);
      if (refusal === undefined || code === "ENOENT" || code === "ENOTDIR") continue;
      return new UsageError(`${place} ${refusal.reason}`, refusal.hint);
    }
  }
  const names = findRuns("runs").map((path) => basename(path));
  return new UsageError(
    `${pathOrName}: ${otherwise}`,
    suggest(pathOrName, names) ?? "Runs lie in ./runs of the folder with the job file.",
  );
}

function listPlaces(pathOrName: string): string[] {
  return [resolve(pathOrName), resolve("runs", pathOrName)];
}
