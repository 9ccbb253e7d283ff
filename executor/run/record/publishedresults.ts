import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kindOfEntry } from "./entrykind.js";
import { hashFile } from "./filehashes.js";
import { replayRun } from "./replay.js";

/** What a run has published in a shared folder: its absolute path, and path and SHA-256 of each file. */
export interface PublishedResults {
  folder: string;
  files: [path: string, sha256: string][];
}

/** The record of published results where a step has the results of an earlier run, and so no journal of its own. */
const RECORD = "published.json";

/** Reads what the run in `path` has published; undefined = its results are in the run directory. */
export function readPublishedResults(path: string): PublishedResults | undefined {
  if (!existsSync(join(path, "journal.ndjson"))) return readRecord(path);
  /** The SHA-256 that each file was published with last, by path. */
  const files = new Map<string, string>();
  const { header } = replayRun(path, (entry) => {
    if (entry.e === "publishing") for (const [target, sha256] of entry.files) files.set(target, sha256);
  });
  return header?.results === undefined ? undefined : { folder: header.results, files: [...files] };
}

/** Records what an earlier run has published in a folder that reuses its results. */
export function recordPublishedResults(path: string, published: PublishedResults): void {
  writeFileSync(join(path, RECORD), JSON.stringify(published));
}

/** Returns whether all files are there with the content that they were published with. */
export async function arePublishedResultsIntact({ folder, files }: PublishedResults): Promise<boolean> {
  for (const [target, sha256] of files) {
    const file = join(folder, target);
    if (kindOfEntry(file) !== "file" || (await hashFile(file)).sha256 !== sha256) return false;
  }
  return true;
}

function readRecord(path: string): PublishedResults | undefined {
  const file = join(path, RECORD);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as PublishedResults) : undefined;
}
