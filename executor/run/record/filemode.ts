import { chmodSync, copyFileSync, fchmodSync, fstatSync, rmSync, statSync } from "node:fs";

/** The permissions of a file that tells what `files` hold: those that all of them give, and its owner may read and write it. */
export function intersectModes(files: string[]): number {
  const modes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.mode ?? 0o600);
  return modes.reduce((all, mode) => all & mode, 0o666) | 0o600;
}

/** Copies a file; the copy gives the permissions that the file gives. */
export function copyFileWithMode(from: string, to: string): void {
  // An earlier copy may be read-only.
  rmSync(to, { force: true });
  copyFileSync(from, to);
  chmodSync(to, intersectModes([from]));
}

/** Takes away what an open file gives beyond `mode`; where it belongs to another user it stays as it is. */
export function restrictMode(fd: number, mode: number): void {
  const { mode: now } = fstatSync(fd);
  if ((now & 0o777 & ~mode) === 0) return;
  try {
    fchmodSync(fd, now & mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}
