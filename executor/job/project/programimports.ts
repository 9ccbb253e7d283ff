import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Program } from "../job.js";
import { scanImports, scanModuleImports } from "./importscan.js";
import type { LaunchFolders } from "./project.js";

/** What the Python programs of a job import from their project. Paths are relative to its root. */
export interface ProgramImports {
  /** The files that the programs need, as far as imports tell, and the programs themselves. */
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
    if (program.kind === "module" && scan.unresolved.includes(program.module) && scan.files.length > 0)
      missingModules.push(program.module);
  }
  return { files, importRoots: [...importRoots], missingModules };
}

/** Returns the text of a file; undefined where it cannot be read. */
function readSource(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
