import { closeSync, constants, linkSync, openSync, rmSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { failpoint } from "../failpoint.js";
import { findNameConflict } from "../record/entrykind.js";
import { copyBeside, moveOver } from "./moveover.js";
import { makeFolders, type Publication, syncFolders } from "./publish.js";

/** The outputs of one chunk. Either all of them get their final names, or none. */
export interface ChunkPublications {
  readonly chunk: string;
  readonly publications: readonly Publication[];
}

/** Where files of others may lie. `mayReplace`: files that this run did not publish may be replaced. */
export interface SharedFolder {
  readonly path: string;
  readonly mayReplace: boolean;
}

/** Errors of mkdir(2), link(2) and rename(2) where something else has the name, or that of a folder above it. */
const CONFLICT_CODES = ["EEXIST", "ENOTDIR", "EISDIR", "ENOTEMPTY"];
/** Errors of link(2) where the file system has no hard links. */
const NO_LINK_CODES = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/**
 * Gives the outputs of a batch their final names in a folder where files of others may lie. When it resolves, files and names are safe on
 * disk. A file that is there is only replaced if it may be: names are taken with link(2), which fails where a name exists. Returns why
 * chunks were refused, by their ids; nothing of these is published, unless a file was replaced before that was seen. `written`: a file for
 * each output, which was journaled.
 */
export async function publishShared(
  { path, mayReplace }: SharedFolder,
  written: readonly string[],
  batch: readonly ChunkPublications[],
): Promise<Map<string, string>> {
  const refused = new Map<string, string>();
  const folders = new Set<string>();
  let next = 0;
  for (const { chunk, publications } of batch) {
    const placed: string[] = [];
    for (const { target } of publications) {
      const temporary = written[next++]!;
      const reason = refused.get(chunk) ?? placeFile(temporary, path, target, mayReplace, folders);
      if (reason === undefined) placed.push(join(path, target));
      else {
        refused.set(chunk, reason);
        rmSync(temporary, { force: true });
      }
    }
    // What was replaced cannot be put back, and nothing is better than that.
    if (refused.has(chunk) && !mayReplace) for (const file of placed) rmSync(file, { force: true });
    failpoint("placed");
  }
  await syncFolders(folders);
  return refused;
}

/** Moves a file to its final name; the folders that it changes are added to `folders`. Returns why that is refused. */
export function placeFile(
  temporary: string,
  root: string,
  target: string,
  mayReplace: boolean,
  folders: Set<string>,
): string | undefined {
  const final = join(root, target);
  try {
    makeFolders(root, dirname(target), folders);
    if (mayReplace) moveOver(temporary, final);
    else moveBeside(temporary, final);
    return undefined;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const conflict = CONFLICT_CODES.includes(code) ? findNameConflict(final) : undefined;
    if (conflict === undefined) throw error;
    return conflict;
  }
}

/** Throws EEXIST where there is a file of that name. */
function moveBeside(temporary: string, final: string): void {
  try {
    linkSync(temporary, final);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (NO_LINK_CODES.includes(code)) {
      // The name is taken with an empty file, which only this run replaces.
      closeSync(openSync(final, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644));
      return moveOver(temporary, final);
    }
    if (code !== "EXDEV") throw error;
    const copy = copyBeside(temporary, final);
    try {
      moveBeside(copy, final);
    } finally {
      rmSync(copy, { force: true });
    }
  }
  unlinkSync(temporary);
}
