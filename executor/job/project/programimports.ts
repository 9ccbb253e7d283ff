import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Program } from "../job.js";
import { scanImports, scanModuleImports } from "./importscan.js";
import type { LaunchFolders } from "./project.js";

/** What the Python programs of a job import from their project. Paths are relative to its root. */
export interface ProgramImports {
  /** The files that the programs need, as far as imports show, and the programs themselves. */
  readonly files: ReadonlySet<string>;
  /** Folders that must be on `sys.path` for these imports, besides those where Python looks first. */
  readonly importRoots: readonly string[];
  /** Modules that a program is started as, and that its package does not have. */
  readonly missingModules: readonly string[];
}

/** Follows the imports of programs through the files of a project. Reads the files that it follows. */
export function scanPrograms(
  programs: ReadonlySet<Program>,
  folders: LaunchFolders,
  root: string,
  paths: ReadonlySet<string>,
): ProgramImports {
  const files = new Set<string>();
  const importRoots = new Set<string>();
  const missingModules: string[] = [];
  const read = (path: string) => readSource(join(root, path));
  for (const program of programs) {
    if (program.kind === "command" || program.kind === "nodeScript") continue;
    const path = program.kind === "script" ? posix.join(folders.job, program.script.path) : undefined;
    const scan =
      program.kind === "script"
        ? scanImports({ path: path! }, paths, read)
        : scanModuleImports({ module: program.module, cwd: folders.cwd }, paths, read);
    if (path !== undefined && paths.has(path)) files.add(path);
    for (const file of scan.files) files.add(file);
    for (const folder of scan.importRoots) importRoots.add(folder);
    const roots = [folders.cwd, ...folders.pythonPath, ...scan.importRoots];
    if (program.kind === "module" && isMissing(program.module, roots, paths)) missingModules.push(program.module);
  }
  return { files, importRoots: [...importRoots], missingModules };
}

/** Whether a package of the project lacks a module, or the module cannot be started. Other packages may be installed on nodes. */
function isMissing(module: string, roots: string[], paths: ReadonlySet<string>): boolean {
  const name = module.replaceAll(".", "/");
  const isThere = roots.some((root) =>
    [`${name}.py`, `${name}/__main__.py`].some((path) => paths.has(posix.join(root, path))),
  );
  if (isThere) return false;
  const tops = roots.map((root) => posix.join(root, name.split("/")[0]!));
  return [...paths].some((path) => tops.some((top) => path === `${top}.py` || path.startsWith(`${top}/`)));
}

/** Returns the text of a file; undefined where it cannot be read. */
function readSource(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
