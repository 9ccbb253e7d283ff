import { lstatSync, statSync } from "node:fs";
import { hashFile } from "./filehashes.js";

/** A file as the journal has it before it is published: its path in the folder of results, SHA-256, and inode. Older journals have no inode. */
export type PublishedFile = readonly [path: string, sha256: string, inode?: string];

/** Returns the inode of a file, in decimal: it may exceed 2^53. */
export function inodeOf(path: string): string {
  return `${statSync(path, { bigint: true }).ino}`;
}

/**
 * Returns whether the file at `path` is one that the run has published there: it has the journaled SHA-256 and inode, so an equal file of
 * somebody else's is none. On another file system than the folder of results, `root`, a copy was published, so the SHA-256 decides.
 */
export async function isOwnFile(root: string, path: string, [, sha256, inode]: PublishedFile): Promise<boolean> {
  const stat = statOf(path);
  if (stat === undefined || !stat.isFile()) return false;
  const isMoved = stat.dev === statSync(root, { bigint: true }).dev;
  if (isMoved && inode !== undefined && `${stat.ino}` !== inode) return false;
  return (await hashFile(path)).sha256 === sha256;
}

function statOf(path: string) {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}
