import { statSync } from "node:fs";
import { homedir } from "node:os";
import { posix, relative, resolve } from "node:path";
import type { JobReader, SourceText } from "../reader.js";
import type { UnitSpace } from "../unitspace.js";
import { type LaunchFolders, NO_PROJECT_FOLDERS, type Project } from "./project.js";
import { listProject } from "./projectfiles.js";
import { findProjectRoot, isHomeOrAbove } from "./projectroot.js";

/** Keys that mean something only with a project. */
const PROJECT_KEYS = ["code", "cwd", "pythonpath"];

/** Returns the root of the project of a job, absolute; undefined = `project: none`. */
export function readProjectRoot(reader: JobReader): string | undefined {
  const written = reader.text(["project"]);
  if (written === "none") {
    for (const key of PROJECT_KEYS)
      if (reader.has([key])) reader.reportAt([key], `${key}: there is no project`, "remove `project: none`");
    return undefined;
  }
  if (written === undefined)
    return isHomeOrAbove(reader.folder, homedir()) ? undefined : findProjectRoot(reader.folder, homedir());
  const root = resolve(reader.folder, written);
  if (isHomeOrAbove(root, homedir())) {
    reader.reportAt(["project"], `project: ${root} is your home folder or lies above it`, "name a folder below it");
    return undefined;
  }
  if (isBelow(root, reader.folder)) return root;
  reader.reportAt(["project"], `project: the job file is not in ${root}`, "name its folder or one above it");
  return undefined;
}

/** Returns where programs start. `root`: of the project; undefined = there is none. */
export function readLaunchFolders(reader: JobReader, root: string | undefined): LaunchFolders {
  if (root === undefined) return NO_PROJECT_FOLDERS;
  const job = relativeFolder(root, reader.folder);
  const written = reader.sourceText(["cwd"]);
  const cwd = written === undefined ? job : (readFolder(reader, root, written, "cwd") ?? job);
  const pythonPath = (reader.list(["pythonpath"]) ?? []).flatMap(
    (one, index) => readFolder(reader, root, one, `pythonpath[${index}]`) ?? [],
  );
  return { job, cwd, pythonPath };
}

/**
 * Lists the files that go along. What the job stages as inputs, or publishes as outputs, is not a part of the project: a run must
 * not change what the next one begins with. Reports why the project cannot go along.
 */
export function readProject(reader: JobReader, root: string | undefined, space: UnitSpace): Project | undefined {
  if (root === undefined) return undefined;
  const code = reader.list(["code"])?.map(({ text }) => text);
  const inputs = new Set<string>();
  for (const { source } of space.stagedFiles()) inputs.add(source);
  for (const outputs of space.outputs) for (const path of outputs) inputs.add(resolve(reader.folder, path));
  const listing = listProject({ root, code, exclude: [...inputs] });
  if (listing.ok) return { root, files: listing.files, leftOut: listing.leftOut };
  const key = ["code", "project"].find((one) => reader.has([one]));
  reader.reportAt(key === undefined ? [] : [key], listing.message, listing.hint);
  return undefined;
}

/** Returns the path of a folder of the project, relative to its root; undefined, with a problem reported, where it is none. */
function readFolder(reader: JobReader, root: string, { text, position }: SourceText, what: string): string | undefined {
  const folder = resolve(root, text);
  const hint = `it is relative to the project's root, ${root}`;
  if (!isBelow(root, folder)) {
    reader.report(position, `${what}: "${text}" is outside the project`, hint);
    return undefined;
  }
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return relativeFolder(root, folder);
  reader.report(position, `${what}: the project has no folder "${text}"`, hint);
  return undefined;
}

/** Whether `path` is `folder` or lies in it. */
export function isBelow(folder: string, path: string): boolean {
  const between = relative(folder, path);
  return between === "" || !(between === ".." || between.startsWith("../"));
}

function relativeFolder(root: string, folder: string): string {
  return posix.normalize(relative(root, folder) || ".");
}
