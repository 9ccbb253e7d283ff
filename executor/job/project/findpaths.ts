import { type Dirent, existsSync, opendirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { isUtf8, REPLACEMENT_CHARACTER, refuseFileName } from "./filename.js";
import { FolderCheck } from "./foldercheck.js";
import { findWorkTree, type GitListing, listGitFiles } from "./gitfiles.js";
import { IgnoreRules } from "./gitignore.js";
import type { ProjectScope } from "./projectscope.js";
import { ProjectRefusal, refuseUnreadable } from "./refusal.js";

/** How many entries of folders are looked at where git does not list them: two seconds on a slow disk. */
const MAX_WALKED_ENTRIES = 150_000;
/** How many paths are collected: enough to see which folders are too large. */
const MAX_PATHS = 50_000;

/** The paths of a project, relative to its root. `isTruncated`: there are more than were looked at. */
export interface FoundPaths {
  paths: string[];
  runDirectories: string[];
  isTruncated: boolean;
}

/**
 * Finds the tracked files of the project `root`, though they may be deleted, and the untracked ones that are not ignored. A folder without
 * git is walked by the rules of its .gitignore files. `root` has no links in it. Throws a ProjectRefusal.
 */
export function findPaths(root: string, scope: ProjectScope): FoundPaths {
  const search = new PathSearch(root, scope);
  search.addRepository("", findWorkTree(root));
  return { paths: search.paths, runDirectories: search.folders.runDirectories, isTruncated: search.isTruncated };
}

class PathSearch {
  readonly paths: string[] = [];
  readonly folders: FolderCheck;
  private walkedEntries = 0;

  constructor(
    private readonly root: string,
    private readonly scope: ProjectScope,
  ) {
    this.folders = new FolderCheck(root);
  }

  get isTruncated(): boolean {
    return this.walkedEntries > MAX_WALKED_ENTRIES || this.paths.length >= MAX_PATHS;
  }

  /** Adds what git lists in `folder`, or what lies in it where there is no work tree or git does not know it. */
  addRepository(folder: string, workTree: string | undefined): void {
    const path = join(this.root, folder);
    const listing = workTree === undefined ? undefined : listGitFiles(path, workTree);
    if (listing !== undefined) this.addListing(folder, listing);
    else this.walk(folder, IgnoreRules.read(path, workTree ?? path));
  }

  private addListing(folder: string, { files, badNames, repositories, submodules }: GitListing): void {
    for (const name of files) {
      const path = joinPath(folder, name);
      if (this.isTruncated) return;
      if (!this.scope.includes(path) || !this.folders.holdsFiles(dirname(path))) continue;
      const bytes = badNames.get(name);
      if (bytes !== undefined) refuseFileName(joinBytes(folder, bytes));
      this.paths.push(path);
    }
    for (const name of repositories) this.addNested(joinPath(folder, name), submodules.has(name));
  }

  /** Adds the files of a submodule, or of a repository that lies in another one. */
  private addNested(folder: string, isSubmodule: boolean): void {
    const path = join(this.root, folder);
    // A repository that was deleted, or replaced by a file or a link, is like a deleted file.
    if (!this.scope.includesBelow(folder) || !this.folders.holdsFiles(folder)) return;
    if (isSubmodule && readdirSync(path).length === 0)
      throw new ProjectRefusal(
        `${folder}: this submodule is not checked out`,
        `run \`git submodule update --init ${folder}\` in ${this.root}`,
      );
    this.addRepository(folder, existsSync(join(path, ".git")) ? path : undefined);
  }

  private walk(folder: string, rules: IgnoreRules): void {
    const path = join(this.root, folder);
    for (const entry of readFolder(path)) {
      this.walkedEntries++;
      if (this.isTruncated) return;
      const inner = joinPath(folder, entry.name);
      const absolute = join(this.root, inner);
      if (entry.name === ".git" || rules.isIgnored(absolute, entry.isDirectory())) continue;
      if (entry.isDirectory()) this.walkFolder(folder, entry.name, rules);
      else if ((entry.isFile() || entry.isSymbolicLink()) && this.scope.includes(inner)) {
        rejectBadName(this.root, folder, entry.name);
        this.paths.push(inner);
      }
    }
  }

  private walkFolder(parent: string, name: string, rules: IgnoreRules): void {
    const folder = joinPath(parent, name);
    if (!this.scope.includesBelow(folder)) return;
    rejectBadName(this.root, parent, name);
    if (!this.folders.holdsFiles(folder)) return;
    const path = join(this.root, folder);
    if (existsSync(join(path, ".git"))) this.addRepository(folder, path);
    else this.walk(folder, rules.enter(path));
  }
}

function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** Yields the entries of a folder, a few at a time, because it may have millions. */
function* readFolder(path: string): Generator<Dirent> {
  try {
    const folder = opendirSync(path, { bufferSize: 512 });
    try {
      for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) yield entry;
    } finally {
      folder.closeSync();
    }
  } catch (error) {
    // A program may remove folders while we look.
    if (!["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code!)) refuseUnreadable(path, error);
  }
}

/** Throws the refusal of a name that was decoded with replacement characters because it is not UTF-8. */
function rejectBadName(root: string, folder: string, name: string): void {
  if (!name.includes(REPLACEMENT_CHARACTER)) return;
  const names = readdirSync(join(root, folder), { encoding: "buffer" });
  const bytes = names.find((one) => one.toString("utf8") === name && !isUtf8(one));
  if (bytes !== undefined) refuseFileName(joinBytes(folder, bytes));
}

function joinBytes(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(folder === "" ? "" : `${folder}/`), name]);
}
