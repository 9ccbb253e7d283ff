import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { tryLockFile } from "../../../fleet/filelock.js";
import { QUEUE_FILE } from "../queue/queuerecord.js";
import { readLastEntry } from "./journal.js";
import { replayJournal } from "./replay.js";

/**
 * Moves a run directory aside whose run was halted before any chunk was done, so that the job starts over with its current files.
 * Returns its new path, NAME-halted; undefined where there is no such run, or nodes may still hold something of it.
 */
export function setAsideHaltedRun(path: string): string | undefined {
  const file = join(path, "journal.ndjson");
  // What else lies there is explained where the run directory is opened.
  if (!existsSync(file) || !statSync(file).isFile()) return undefined;
  // The tasks of a queue belong to the run: they stay where they were added.
  if (existsSync(join(path, QUEUE_FILE))) return undefined;
  const fd = openSync(file, "r");
  try {
    const last = readLastEntry(fd);
    if (last?.e !== "close" || last.state !== "halted" || !tryLockFile(fd)) return undefined;
    const { committedChunks, leftovers } = replayJournal(fd, file);
    if (committedChunks > 0 || leftovers.length > 0) return undefined;
    const aside = findFreePath(`${path}-halted`);
    renameSync(path, aside);
    return aside;
  } finally {
    closeSync(fd);
  }
}

function findFreePath(path: string): string {
  if (!existsSync(path)) return path;
  for (let n = 2; ; n++) if (!existsSync(`${path}-${n}`)) return `${path}-${n}`;
}
