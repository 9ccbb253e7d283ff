import { posix } from "node:path";
import type { ProgramLaunch } from "./job.js";
import type { ProjectSetup } from "./project/projectreader.js";

/** Returns what a user should know where a module of the project has the name of the worker library. */
export function noteHiddenLibrary(specs: Iterable<ProgramLaunch>, { project, folders }: ProjectSetup): string[] {
  const paths = new Set(project?.files.map(({ path }) => path));
  const searched = new Set(folders.pythonPath);
  for (const { program } of specs)
    searched.add(program.kind === "script" ? posix.join(folders.job, posix.dirname(program.script.path)) : folders.cwd);
  const hiding = [...searched]
    .flatMap((folder) => ["muster.py", "muster/__init__.py"].map((name) => posix.join(folder, name)))
    .find((path) => paths.has(path));
  return hiding === undefined
    ? []
    : [`\`${hiding}\` hides muster's worker library of that name; rename it, so that workers can \`import muster\``];
}
