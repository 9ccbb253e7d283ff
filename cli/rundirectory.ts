import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../schemas/errors.js";

/** The run directory that a word means: a path to one, or the name of one in ./runs; undefined where it is neither. */
export function findRunDirectory(word: string): string | undefined {
  return [resolve(word), resolve("runs", word)].find((path) => existsSync(join(path, "journal.ndjson")));
}

/** The same where there must be one. Throws UsageError. */
export function requireRunDirectory(word: string): string {
  const path = findRunDirectory(word);
  if (path === undefined) throw new UsageError(`${word}: is neither a run directory nor the name of one in ./runs`);
  return path;
}
