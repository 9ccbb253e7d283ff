import { closeSync, openSync, readSync } from "node:fs";

const PIECE_BYTES = 256 << 10;

/** Yields the bytes of a file from an offset on; none where there is no such file. Throws other errors of the file system. */
export function* readPieces(file: string, from: number): Generator<Buffer> {
  let fd: number;
  try {
    fd = openSync(file, "r");
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
