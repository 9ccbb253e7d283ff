import { realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { PublishedFiles } from "../publishedfiles.js";
import { findPaths } from "./findpaths.js";
import { inspectPaths } from "./inspectpaths.js";
import type { LeftOutFile, ProjectFile } from "./project.js";
import { rejectLargeProject } from "./projectlimits.js";
import { ProjectScope } from "./projectscope.js";
import { ProjectRefusal, refuseUnreadable } from "./refusal.js";

/** The files of a project, sorted by path, or why it cannot be copied to nodes. */
export type ProjectListing =
  | { ok: true; files: ProjectFile[]; leftOut: LeftOutFile[] }
  | { ok: false; message: string; hint: string };

export interface ProjectSelection {
  root: string;
  /** `code:` of the job: files, folders or globs of either, relative to the root; undefined = everything. */
  code?: readonly string[];
  /** Files and folders that are not copied to nodes, such as inputs and results; relative to the root. */
  exclude: ReadonlySet<string>;
  /** What runs of the job publish, which is not copied either. */
  published?: PublishedFiles;
}

/**
 * Lists the files that belong to a project: tracked ones, and untracked ones that are not ignored. Contents are not read. What is left out
 * silently: `.git`, files of muster's own, what `exclude` names, and whatever is neither a file nor a link.
 */
export function listProject(selection: ProjectSelection): ProjectListing {
  try {
    return { ok: true, ...listFiles(selection) };
  } catch (error) {
    if (error instanceof ProjectRefusal) return { ok: false, message: error.message, hint: error.hint };
    throw error;
  }
}

function listFiles({ root, code, exclude, published }: ProjectSelection) {
  const real = resolveRoot(root);
  const scope = ProjectScope.create(real, code, exclude);
  const { paths, runDirectories, isTruncated } = findPaths(real, scope);
  const own = published === undefined ? paths : paths.filter((path) => !published.has(join(root, path)));
  const { files, leftOut } = inspectPaths(real, own);
  for (const path of runDirectories) leftOut.push({ path, why: "run directory" });
  rejectLargeProject(root, files, isTruncated);
  scope.rejectUnmatched([...files, ...leftOut].map(({ path }) => path));
  return { files: files.sort(comparePaths), leftOut: leftOut.sort(comparePaths) };
}

function resolveRoot(root: string): string {
  try {
    const real = realpathSync(root);
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ELOOP"].includes((error as NodeJS.ErrnoException).code!)) refuseUnreadable(root, error);
    throw new ProjectRefusal(
      `the project ${root} does not exist`,
      "name the folder of the project, or set `project: none`",
    );
  }
  throw new ProjectRefusal(`the project ${root} is not a folder`, "name the folder that the file lies in");
}

/** By UTF-16 code units, the same on every machine. */
function comparePaths(one: { path: string }, other: { path: string }): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0;
}
