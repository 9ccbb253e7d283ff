import { dirname, posix } from "node:path";
import type { Program } from "../job.js";
import { adviseOnFile, adviseOnModule } from "./missingadvice.js";
import type { MissingName } from "./missingnames.js";
import { findFileStatus, findInRoot, findLinkOut, type JobFiles, joinInRoot } from "./whereabouts.js";

/** A path in a working copy on a node. Its top is the project's root. */
const IN_WORKING_COPY = /\/runs\/[^/]+\/w\/\d+\/(.+)$/;
const NODE_SUFFIXES = ["", ".js", ".json", ".mjs", ".cjs", "/index.js"];

/**
 * Returns what to do about something that `program` did not find, if the project on this machine contains it; otherwise
 * undefined. Nothing outside the project is read.
 */
export function explainMissing(missing: MissingName, program: Program, files: JobFiles): string | undefined {
  switch (missing.kind) {
    case "path":
      return explainPath(missing.name, files);
    case "module":
      return explainModule(missing.name, program, files);
    case "node module":
      return explainNodeModule(missing.name, missing.from, files);
    default:
      return missing satisfies never;
  }
}

function explainPath(name: string, files: JobFiles): string | undefined {
  const { root, folders } = files;
  if (name.startsWith("/")) {
    const copied = IN_WORKING_COPY.exec(name)?.[1];
    if (copied !== undefined) return explainAt(copied, ".", files, "relative");
    return name.startsWith(`${root}/`) ? explainAt(name.slice(root.length + 1), ".", files, "absolute") : undefined;
  }
  for (const base of new Set([folders.cwd, folders.job, "."])) {
    const advice = explainAt(name, base, files, base === folders.cwd ? "relative" : "elsewhere");
    if (advice !== undefined) return advice;
  }
  return undefined;
}

/** `naming`: how the program names it; "elsewhere" = relative to another folder than `base`, which it starts in. */
function explainAt(
  name: string,
  base: string,
  files: JobFiles,
  naming: "relative" | "absolute" | "elsewhere",
): string | undefined {
  const path = joinInRoot(base, name);
  if (path === undefined) return undefined;
  const link = findLinkOut(files, path);
  if (link !== undefined) return adviseOnFile({ path, link, status: "leads out of the project" }, files.folders);
  const kind = findInRoot(files, path);
  if (kind === undefined) return undefined;
  const status = findFileStatus(files, path, kind);
  if (status === undefined) return undefined;
  if (status !== "copied") return adviseOnFile({ path, status, by: files.project?.narrowedBy }, files.folders);
  if (naming === "absolute")
    return `\`${path}\` is copied to nodes, but the program uses its absolute path on this machine. Use a path relative to the working directory.`;
  if (naming === "elsewhere")
    return `\`${path}\` is copied to nodes, but programs start in \`${files.folders.cwd}\`, not in \`${base}\`. Set \`cwd: ${base}\`.`;
  return undefined;
}

function explainModule(module: string, program: Program, files: JobFiles): string | undefined {
  const { folders, project } = files;
  const path = module.replaceAll(".", "/");
  const script = program.kind === "script" ? posix.join(folders.job, dirname(program.script.path)) : folders.cwd;
  const searched = new Set([script, ...folders.pythonPath]);
  for (const base of new Set([...searched, folders.cwd, folders.job, ".", "src"])) {
    for (const file of [`${path}.py`, `${path}/__init__.py`]) {
      const found = joinInRoot(base, file);
      if (found === undefined || findInRoot(files, found) !== "file") continue;
      const status = findFileStatus(files, found, "file");
      if (status === undefined) return undefined;
      if (status === "copied") return searched.has(base) ? undefined : adviseOnModule(found, base);
      if (status === "no project")
        return `\`${found}\` is next to the job file, but the job has no project. Name its folder in \`project\`.`;
      return adviseOnFile({ path: found, status, by: project?.narrowedBy }, folders);
    }
  }
  const file = findModuleElsewhere(path, files);
  return file === undefined ? undefined : adviseOnModule(file.path, file.folder);
}

/** Returns the file of a module in any folder of the project, the one with the shortest path. */
function findModuleElsewhere(path: string, { project }: JobFiles): { path: string; folder: string } | undefined {
  const endings = [`/${path}.py`, `/${path}/__init__.py`];
  let nearest: { path: string; folder: string } | undefined;
  for (const file of project?.files ?? [])
    for (const ending of endings)
      if (file.path.endsWith(ending) && (nearest === undefined || file.path.length < nearest.path.length))
        nearest = { path: file.path, folder: file.path.slice(0, -ending.length) };
  return nearest;
}

function explainNodeModule(name: string, from: string | undefined, files: JobFiles): string | undefined {
  const path = name.startsWith("/") || from === undefined ? name : posix.join(dirname(from), name);
  for (const suffix of NODE_SUFFIXES) {
    const advice = explainPath(path + suffix, files);
    if (advice !== undefined) return advice;
  }
  return undefined;
}
