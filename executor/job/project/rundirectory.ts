import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** How the journal of a run begins, of a job or of a pipeline (see executor/run/record/journal.ts). */
const JOURNAL_START = /^\{"n":1,"e":"(run|pipeline)"/;
const PEEK_BYTES = 32;

/** Returns whether a folder is a run directory. One whose coordinator was killed at once has an empty journal. */
export function isRunDirectory(folder: string): boolean {
  let fd: number;
  try {
    fd = openSync(join(folder, "journal.ndjson"), "r");
  } catch {
    return false;
  }
  try {
    const bytes = Buffer.alloc(PEEK_BYTES);
    const length = readSync(fd, bytes, 0, PEEK_BYTES, 0);
    return length === 0 || JOURNAL_START.test(bytes.toString("latin1", 0, length));
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}
