import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** How the journal of a run begins, of a job or of a pipeline (see executor/run/record/journal.ts). */
const JOURNAL_START = /^\{"n":1,"e":"(run|pipeline)"/;
const PEEK_BYTES = 32;

/** Returns whether a folder is a run directory. One whose coordinator was killed at once has an empty journal. */
export function isRunDirectory(folder: string): boolean {
  let fd: number;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(join(folder, "journal.ndjson"), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    if (!fstatSync(fd).isFile()) return false;
    const bytes = Buffer.alloc(PEEK_BYTES);
    const length = readSync(fd, bytes, 0, PEEK_BYTES, 0);
    return length === 0 || JOURNAL_START.test(bytes.toString("latin1", 0, length));
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}
