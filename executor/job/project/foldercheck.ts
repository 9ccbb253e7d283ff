import { lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import { refuseUnreadable } from "./refusal.js";
import { isRunDirectory } from "./rundirectory.js";

/** Which folders of a project hold files of it: no run directories, and no links in place of folders that git has tracked files in. */
export class FolderCheck {
  readonly runDirectories: string[] = [];
  /** The root may hold a journal: a run directory that is a project as well is still a project. */
  private readonly known = new Map([[".", true]]);

  constructor(private readonly root: string) {}

  /** Takes "." for the root. Throws a ProjectRefusal where a folder cannot be read. */
  holdsFiles(folder: string): boolean {
    const known = this.known.get(folder);
    if (known !== undefined) return known;
    const holds = this.holdsFiles(dirname(folder)) && this.check(folder);
    this.known.set(folder, holds);
    return holds;
  }

  private check(folder: string): boolean {
    const path = join(this.root, folder);
    if (!isFolder(path)) return false;
    const isRun = isRunDirectory(path);
    if (isRun) this.runDirectories.push(folder);
    return !isRun;
  }
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    return refuseUnreadable(path, error);
  }
}
