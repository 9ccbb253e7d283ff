import { closeSync, fsync, fsyncSync, openSync, writeSync } from "node:fs";
import { promisify } from "node:util";

/** Resolves when everything that was written to the open file `fd` is on disk. Does not block other work. */
export const fsyncFile: (fd: number) => Promise<void> = promisify(fsync);

/** Writes all of `bytes`, where the system writes only a part at a time. */
export function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Blocks until the content of the file `path`, or the names in the folder `path`, are on disk. */
export function fsyncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
