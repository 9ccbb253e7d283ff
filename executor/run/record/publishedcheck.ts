import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { kindOfEntry } from "./entrykind.js";
import { hashFile } from "./filehashes.js";
import { readEntries } from "./journal.js";

/**
 * Returns whether everything that the complete run in `path` published in a folder of others is still there as it was: the first file that
 * is not, absolute; undefined = all is there, or its results are in the run directory.
 */
export async function findChangedResult(path: string): Promise<string | undefined> {
  const journal = join(path, "journal.ndjson");
  if (!existsSync(journal)) return undefined;
  const { folder, files } = listPublished(journal);
  if (folder === undefined) return undefined;
  for (const [target, sha256] of files) {
    const file = join(folder, target);
    if (kindOfEntry(file) !== "file" || (await hashFile(file)).sha256 !== sha256) return file;
  }
  return undefined;
}

/** Returns the folder of results that a journal names, and the SHA-256 of what was published there last, by path. */
function listPublished(journal: string): { folder: string | undefined; files: Map<string, string> } {
  let folder: string | undefined;
  const files = new Map<string, string>();
  const fd = openSync(journal, "r");
  try {
    readEntries(fd, journal, (entry) => {
      if (entry.e === "run") folder = entry.results;
      else if (entry.e === "publishing") for (const [target, sha256] of entry.files) files.set(target, sha256);
    });
  } finally {
    closeSync(fd);
  }
  return { folder, files };
}
