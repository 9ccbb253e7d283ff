import { realpathSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { isIgnoredByGit } from "./gitfiles.js";
import { IgnoreRules } from "./gitignore.js";
import type { LaunchFolders, LeftOutFile, Project } from "./project.js";
import { ProjectRefusal } from "./refusal.js";

/** Whether a file on this machine is copied to nodes, or why it is not. */
export type FileStatus = "copied" | LeftOutFile["why"] | "ignored" | "not in code" | "no project";

/** The files of a job on this machine, and which of them a chunk gets. */
export interface JobFiles {
  /** Absolute: of the project, or the job file's folder if the job has no project. */
  readonly root: string;
  readonly project: Project | undefined;
  readonly folders: LaunchFolders;
  /** Inputs of the chunk, relative to the root. */
  readonly inputs: readonly string[];
}

/** Returns whether `path` (relative to the root) is a file or folder in the root, links resolved; undefined = neither. */
export function findInRoot({ root }: JobFiles, path: string): "file" | "folder" | undefined {
  try {
    const top = realpathSync(root);
    const real = realpathSync(join(top, path));
    if (real === top || !real.startsWith(`${top}/`)) return undefined;
    const stat = statSync(real);
    return stat.isDirectory() ? "folder" : stat.isFile() ? "file" : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the link out of the project that `path` is, or leads through. The target of the link is not read. */
export function findLinkOut({ project }: JobFiles, path: string): string | undefined {
  const links = project?.leftOut.filter(({ why }) => why === "leads out of the project") ?? [];
  return links.find((link) => isAtOrBelow(path, link.path))?.path;
}

/** Returns the status of a file or folder in the root; undefined if it is not known. */
export function findFileStatus(files: JobFiles, path: string, kind: "file" | "folder"): FileStatus | undefined {
  const { root, project, inputs } = files;
  const isPart = (one: string) => one === path || (kind === "folder" && isAtOrBelow(one, path));
  if (inputs.some(isPart)) return "copied";
  if (project === undefined) return "no project";
  if (project.files.some((file) => isPart(file.path))) return "copied";
  const leftOut = project.leftOut.find((one) => isPart(one.path) || isAtOrBelow(path, one.path));
  if (leftOut !== undefined) return leftOut.why;
  if (isIgnored(root, path, kind)) return "ignored";
  return project.narrowedBy === undefined ? undefined : "not in code";
}

function isIgnored(root: string, path: string, kind: "file" | "folder"): boolean {
  try {
    return isIgnoredByGit(root, path) ?? isIgnoredByRules(root, path, kind);
  } catch (error) {
    if (error instanceof ProjectRefusal) return false;
    throw error;
  }
}

function isIgnoredByRules(root: string, path: string, kind: "file" | "folder"): boolean {
  const parent = dirname(path);
  if (parent !== "." && isIgnoredByRules(root, parent, "folder")) return true;
  return IgnoreRules.read(join(root, parent), root).isIgnored(join(root, path), kind === "folder");
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Returns a path relative to the root in normal form; undefined where it leaves the root. */
export function joinInRoot(folder: string, path: string): string | undefined {
  const joined = posix.join(folder, path).replace(/\/$/, "");
  return joined === ".." || joined.startsWith("../") || joined.startsWith("/") || joined === "." ? undefined : joined;
}
