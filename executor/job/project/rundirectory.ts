import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** How the journal of a run begins, of a job or of a pipeline, and the queue of one (see executor/run/record/journal.ts). */
const FIRST_RECORD = /^\{"n":1,"e":"(run|pipeline|queue)"/;
/** A queue may be there before its run has begun. */
const FILES = ["journal.ndjson", "queue.ndjson"];
const PEEK_BYTES = 32;

/** Returns whether a folder is a run directory. One whose coordinator was killed at once has an empty journal. */
export function isRunDirectory(folder: string): boolean {
  return FILES.some((name) => beginsAsRun(join(folder, name)));
}

function beginsAsRun(file: string): boolean {
  let fd: number;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    if (!fstatSync(fd).isFile()) return false;
    const bytes = Buffer.alloc(PEEK_BYTES);
    const length = readSync(fd, bytes, 0, PEEK_BYTES, 0);
    return length === 0 || FIRST_RECORD.test(bytes.toString("latin1", 0, length));
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}
