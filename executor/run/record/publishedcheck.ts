import { existsSync } from "node:fs";
import { join } from "node:path";
import { kindOfEntry } from "./entrykind.js";
import { hashFile } from "./filehashes.js";
import { replayRun } from "./replay.js";

/**
 * Returns the first file, absolute, that the complete run in `path` published in a shared folder and that is missing or changed; undefined =
 * there is none, or its results are in the run directory.
 */
export async function findChangedResult(path: string): Promise<string | undefined> {
  if (!existsSync(join(path, "journal.ndjson"))) return undefined;
  /** The SHA-256 that each file was published with last, by path. */
  const published = new Map<string, string>();
  const { header } = replayRun(path, (entry) => {
    if (entry.e === "publishing") for (const [target, sha256] of entry.files) published.set(target, sha256);
  });
  if (header?.results === undefined) return undefined;
  for (const [target, sha256] of published) {
    const file = join(header.results, target);
    if (kindOfEntry(file) !== "file" || (await hashFile(file)).sha256 !== sha256) return file;
  }
  return undefined;
}
