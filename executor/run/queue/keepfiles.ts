import { randomUUID } from "node:crypto";
import { constants, copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import { fsyncPath } from "../../../schemas/filewrites.js";
import type { StagedFile } from "../../job/chunk.js";
import { kindOfEntry } from "../record/entrykind.js";
import { type FileContent, hashFile } from "../record/filehashes.js";
import { keptFolder, keptPath } from "./queuerecord.js";

/** A partial file that nobody has written to for so long is left from a process that was killed. */
const MAX_PARTIAL_AGE_MS = 24 * 3600 * 1000;
const PARTIAL_SUFFIX = ".part";

/**
 * Copies the files of tasks into the run directory `path`, each content once, and returns the content of each, by its path on this machine.
 * They are on disk when this resolves. What is hashed is the copy: a file that changes at that moment is kept as it was copied. Rejects
 * with CHANGED (65) where a file is gone.
 */
export async function keepFiles(path: string, files: Iterable<StagedFile>): Promise<Map<string, FileContent>> {
  const contents = new Map<string, FileContent>();
  const folder = keptFolder(path);
  let isFolderChanged = false;
  for (const { source } of files) {
    if (contents.has(source)) continue;
    if (contents.size === 0) {
      mkdirSync(folder, { recursive: true });
      removeOldPartials(folder);
    }
    const partial = join(folder, `${randomUUID()}${PARTIAL_SUFFIX}`);
    try {
      copy(source, partial);
      const content = await hashFile(partial);
      contents.set(source, content);
      const kept = keptPath(path, content);
      if (kindOfEntry(kept) === "file") continue;
      fsyncPath(partial);
      renameSync(partial, kept);
      isFolderChanged = true;
    } finally {
      rmSync(partial, { force: true });
    }
  }
  if (isFolderChanged) for (const one of [folder, path]) fsyncPath(one);
  return contents;
}

function copy(source: string, target: string): void {
  try {
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new MusterError("CHANGED", `${source} is gone`, { next: "Run the command again." });
  }
}

/** Removes what processes that were killed have left. */
function removeOldPartials(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(PARTIAL_SUFFIX)) continue;
    const file = join(folder, name);
    const modified = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - modified > MAX_PARTIAL_AGE_MS) rmSync(file, { force: true });
  }
}
