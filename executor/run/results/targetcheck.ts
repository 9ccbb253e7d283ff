import { lstatSync } from "node:fs";
import { join } from "node:path";
import { parentFolders } from "../../job/outputregistry.js";
import { isRunDirectory } from "../../job/project/rundirectory.js";
import { findNameConflict, kindOfEntry } from "../record/entrykind.js";
import type { ResultsFolder } from "../record/resultsfolder.js";

/** Checks where results of a group would be published, in a folder where files of others may lie. */
export class TargetCheck {
  /** What was found about folders above targets, by path. */
  private readonly folders = new Map<string, { isLink: boolean; isRunDirectory: boolean }>();

  constructor(private readonly results: Pick<ResultsFolder, "path" | "mayReplace">) {}

  /**
   * Returns why nothing can be published at `target`, a path in the folder of results; undefined = it can. `isFound`: the program has
   * chosen the name, so it must not lead through links.
   */
  findConflict(target: string, isFound: boolean): string | undefined {
    const { path, mayReplace } = this.results;
    for (const folder of parentFolders(target)) {
      const { isLink, isRunDirectory } = this.lookAt(folder);
      if (isFound && isLink)
        return `${join(path, target)} cannot be written: ${folder} is a link, and the program chose the name`;
      if (isRunDirectory) return `${join(path, target)} cannot be written: ${folder} is a run directory`;
    }
    const final = join(path, target);
    return mayReplace && ["none", "file"].includes(kindOfEntry(final)) ? undefined : findNameConflict(final);
  }

  private lookAt(folder: string) {
    const known = this.folders.get(folder);
    if (known !== undefined) return known;
    const path = join(this.results.path, folder);
    const isLink = kindOfEntry(path) === "file" && lstatSync(path).isSymbolicLink();
    const seen = { isLink, isRunDirectory: isRunDirectory(path) };
    this.folders.set(folder, seen);
    return seen;
  }
}
