import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

/** Reads a file of this machine. A named pipe counts as empty, because reading it would wait for a writer. Throws the system's error. */
export function readLocalFile(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return fstatSync(fd).isFIFO() ? Buffer.alloc(0) : readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
