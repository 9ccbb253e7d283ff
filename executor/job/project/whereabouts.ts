import { realpathSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { isIgnoredByGit } from "./gitfiles.js";
import { IgnoreRules } from "./gitignore.js";
import type { LaunchFolders, LeftOutFile, Project } from "./project.js";
import { ProjectRefusal } from "./refusal.js";

/** Whether a file of the project here goes along with a job, or why it does not. */
export type Standing = "goes along" | LeftOutFile["why"] | "ignored" | "not in code" | "no project";

/** The files of a job on this machine, and which of them a chunk gets. */
export interface LocalFiles {
  /** Absolute: of the project, or the job file's folder where no project goes along. */
  readonly root: string;
  readonly project: Project | undefined;
  readonly folders: LaunchFolders;
  /** Inputs of the chunk, relative to the root. */
  readonly inputs: readonly string[];
}

/** Returns whether `path` (relative to the root) is a file or folder that lies in the root, links resolved; undefined = neither. */
export function findInRoot({ root }: LocalFiles, path: string): "file" | "folder" | undefined {
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

/** Returns the link out of the project that `path` is, or leads through. It is known without a look behind it. */
export function findLinkOut({ project }: LocalFiles, path: string): string | undefined {
  const links = project?.leftOut.filter(({ why }) => why === "leads out of the project") ?? [];
  return links.find((link) => isAtOrBelow(path, link.path))?.path;
}

/** Returns the standing of a file or folder that lies in the root; undefined where it is not known. */
export function findStanding(files: LocalFiles, path: string, kind: "file" | "folder"): Standing | undefined {
  const { root, project, inputs } = files;
  const isPart = (one: string) => one === path || (kind === "folder" && isAtOrBelow(one, path));
  if (inputs.some(isPart)) return "goes along";
  if (project === undefined) return "no project";
  if (project.files.some((file) => isPart(file.path))) return "goes along";
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
