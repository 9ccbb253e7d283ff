import { chmodSync, copyFileSync, fchmodSync, fstatSync, rmSync, statSync } from "node:fs";

/** Returns the permissions for a file with content from `files`: only what all of them permit, and read and write for the owner. */
export function intersectModes(files: string[]): number {
  const modes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.mode ?? 0o600);
  return modes.reduce((all, mode) => all & mode, 0o666) | 0o600;
}

/** Copies a file with its permissions. Replaces an earlier copy. */
export function copyFileWithMode(from: string, to: string): void {
  // An earlier copy may be read-only.
  rmSync(to, { force: true });
  copyFileSync(from, to);
  chmodSync(to, intersectModes([from]));
}

/** Removes the permissions of an open file beyond `mode`. Does nothing if the file belongs to another user. */
export function restrictMode(fd: number, mode: number): void {
  const { mode: now } = fstatSync(fd);
  if ((now & 0o777 & ~mode) === 0) return;
  try {
    fchmodSync(fd, now & mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}
