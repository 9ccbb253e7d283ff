import { closeSync, fsync, fsyncSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
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

/**
 * Replaces a file as a whole: whoever reads it meanwhile gets the old text or the new one. The text is written to FILE.partial first, so
 * only one process at a time may replace a file. `mode`: of the new file, less the umask.
 */
export function writeFileAtomic(file: string, text: string, mode?: number): void {
  writeFileSync(`${file}.partial`, text, { mode });
  renameSync(`${file}.partial`, file);
}

/** Replaces a file as writeFileAtomic does. It is on disk when this returns. */
export function writeFileDurable(file: string, text: string, mode?: number): void {
  writeFileSync(`${file}.partial`, text, { mode });
  fsyncPath(`${file}.partial`);
  renameSync(`${file}.partial`, file);
  fsyncPath(dirname(file));
}
