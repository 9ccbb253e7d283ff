import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../schemas/errors.js";

/** Returns the run directory with this path, or with this name in ./runs; undefined where there is neither. */
export function findRunDirectory(pathOrName: string): string | undefined {
  return [resolve(pathOrName), resolve("runs", pathOrName)].find((path) => existsSync(join(path, "journal.ndjson")));
}

/** Returns the run directory as `findRunDirectory` does. Throws UsageError where there is none. */
export function requireRunDirectory(pathOrName: string): string {
  const path = findRunDirectory(pathOrName);
  if (path === undefined)
    throw new UsageError(`${pathOrName}: is neither a run directory nor the name of one in ./runs`);
  return path;
}
