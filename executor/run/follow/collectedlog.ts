import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { LogStream } from "../record/logfiles.js";

const PIECE_BYTES = 256 << 10;

/** Yields the bytes of a chunk's log in the run directory `path` from an offset on; none where there is no such file. */
export function* readCollectedLog(path: string, chunk: string, stream: LogStream, from: number): Generator<Buffer> {
  let fd: number;
  try {
    fd = openSync(join(path, "logs", `${chunk}.${stream}`), "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    for (let offset = from; ; ) {
      const piece = Buffer.alloc(PIECE_BYTES);
      const count = readSync(fd, piece, 0, PIECE_BYTES, offset);
      if (count === 0) return;
      yield piece.subarray(0, count);
      offset += count;
    }
  } finally {
    closeSync(fd);
  }
}
