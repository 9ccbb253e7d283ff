import { constants, copyFileSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fsyncPath } from "../../../schemas/filewrites.js";

/** Moves a file to its final name, and replaces what is there. The final name may be on another file system. */
export function moveOver(temporary: string, final: string): void {
  try {
    renameSync(temporary, final);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    renameSync(copyBeside(temporary, final), final);
    unlinkSync(temporary);
  }
}

/** Copies a file into the folder of its final name, which is on another file system, under a name of muster's. */
export function copyBeside(temporary: string, final: string): string {
  const copy = join(dirname(final), `.muster-${basename(final).slice(0, 200)}.partial`);
  rmSync(copy, { force: true });
  copyFileSync(temporary, copy, constants.COPYFILE_EXCL);
  fsyncPath(copy);
  return copy;
}
