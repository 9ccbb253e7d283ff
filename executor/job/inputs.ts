import { readdirSync } from "node:fs";
import { join, posix, relative } from "node:path";
import { suggest } from "../../schemas/suggest.js";
import { collectFiles, inspectPath } from "./collectfiles.js";
import type { StagedFile } from "./job.js";

/** The files at a path of a job, or why they cannot be staged. */
export type FoundFiles = { ok: true; files: StagedFile[] } | { ok: false; message: string; hint?: string };

/** Normalizes a relative path (`./a//b` is `a/b`), or returns why it would leave its folder. */
export function normalizePath(path: string): { ok: true; path: string } | { ok: false; message: string } {
  if (path === "") return { ok: false, message: "is empty" };
  if (path.includes("\0")) return { ok: false, message: "contains a NUL character" };
  if (path.startsWith("/")) return { ok: false, message: "is absolute" };
  if (path.split("/").includes("..")) return { ok: false, message: 'contains ".."' };
  // Most paths are in normal form, and there may be a hundred thousand.
  return { ok: true, path: /(?:^|\/)\.?(?:\/|$)/.test(path) ? posix.normalize(path) : path };
}

/**
 * Finds the script at `path`, relative to `base`: anywhere in the project, else in `base` or below. The path of the result is
 * relative to `folder`, of the job file, where the script is a part of the project.
 */
export function findScript(folder: string, base: string, path: string, projectRoot: string | undefined): FoundFiles {
  const inProject = projectRoot !== undefined && isBelow(projectRoot, base);
  const found = inProject ? locateInProject(base, path, projectRoot) : locate(base, path);
  if (!found.ok) return found;
  if (found.kind === "folder") return { ok: false, message: "is a folder" };
  const source = join(base, found.path);
  return { ok: true, files: [{ source, path: inProject ? relative(folder, source) : found.path }] };
}

/** Whether `path` is `folder` or lies in it; both are absolute. */
export function isBelow(folder: string, path: string): boolean {
  const between = relative(folder, path);
  return between === "" || !(between === ".." || between.startsWith("../"));
}

/**
 * Finds the input at `path`, relative to `folder`: a file, or every file below a folder, sorted by name. It lies anywhere in the
 * project, else in `folder` or below. Run directories in a folder are left out, and files that runs of the job publish.
 */
export function findInput(
  folder: string,
  path: string,
  projectRoot: string | undefined,
  isPublished: (source: string) => boolean,
): FoundFiles {
  const inProject = projectRoot !== undefined && isBelow(projectRoot, folder);
  const found = inProject ? locateInProject(folder, path, projectRoot) : locate(folder, path);
  if (!found.ok) return found;
  if (found.kind === "file")
    return { ok: true, files: [{ source: join(folder, found.path), path: found.path, bytes: found.bytes }] };
  const files: StagedFile[] = [];
  const start = found.path === "./" || found.path === "." ? "" : found.path.replace(/\/$/, "");
  const fault = collectFiles(folder, start, files);
  if (fault !== undefined) return fault;
  const own = files.filter(({ source }) => !isPublished(source));
  return own.length === 0 ? { ok: false, message: "is a folder without files" } : { ok: true, files: own };
}

type FoundPath =
  | { ok: true; kind: "file" | "folder"; path: string; bytes: number }
  | { ok: false; message: string; hint?: string };

function locate(folder: string, path: string): FoundPath {
  const plain = normalizePath(path);
  return plain.ok ? inspect(folder, plain.path) : { ...plain, hint: `it must be in or below ${folder}` };
}

function locateInProject(folder: string, path: string, root: string): FoundPath {
  const plain = posix.normalize(path);
  const hint = `it must be in the project, ${root}`;
  if (path === "" || path.includes("\0") || path.startsWith("/")) return { ...normalizePath(path), hint } as FoundPath;
  if (isBelow(root, join(folder, plain))) return inspect(folder, plain);
  return { ok: false, message: "is outside the project", hint };
}

/** `path`: in normal form. */
function inspect(folder: string, path: string): FoundPath {
  const found = inspectPath(join(folder, path));
  if (!found.ok) return found;
  const { stat } = found;
  if (stat === undefined) return { ok: false, message: "does not exist", hint: suggestPath(folder, path) };
  const place = { path, bytes: stat.size };
  if (stat.isDirectory()) return { ok: true, kind: "folder", ...place };
  return stat.isFile()
    ? { ok: true, kind: "file", ...place }
    : { ok: false, message: "is neither a file nor a folder" };
}

/** Lists the files below the folder `source` (absolute), with paths below `path`. */
export function listFilesBelow(source: string, path: string): FoundFiles {
  const files: StagedFile[] = [];
  const fault = collectFiles(source, "", files);
  if (fault !== undefined) return fault;
  return { ok: true, files: files.map((file) => ({ ...file, path: `${path}/${file.path}` })) };
}

/** Suggests the nearest name in the folder where the path should be. */
function suggestPath(folder: string, path: string): string | undefined {
  const parent = posix.dirname(path);
  const glob = path.search(/[*?]/);
  if (glob >= 0) return `inputs are not globs: name the folder, "${posix.dirname(`${path.slice(0, glob)}x`)}"`;
  if (/\{\w+\}/.test(path)) return "placeholders are replaced in `args` and `command` only";
  try {
    const hint = suggest(posix.basename(path), readdirSync(join(folder, parent)));
    return hint?.startsWith("did you mean") ? hint : `looked in ${join(folder, parent)}`;
  } catch {
    return `there is no folder ${join(folder, parent)}`;
  }
}
