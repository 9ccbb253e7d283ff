import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** The run directory that a word means: a path to one, or the name of one in ./runs; undefined where it is neither. */
export function runDirectory(word: string): string | undefined {
  return [resolve(word), resolve("runs", word)].find((path) => existsSync(join(path, "journal.ndjson")));
}
