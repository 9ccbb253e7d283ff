import { homedir } from "node:os";
import { join, posix, relative, resolve } from "node:path";
import { inspectPath } from "../collectfiles.js";
import { isBelow } from "../inputs.js";
import type { Program } from "../job.js";
import type { PublishedFiles } from "../publishedfiles.js";
import type { JobReader, KeyPath, SourceText } from "../reader.js";
import type { UnitSpace } from "../unitspace.js";
import { listLocalOutputs, readBuild } from "./buildreader.js";
import type { BuildSpec } from "./buildspec.js";
import { scanPrograms } from "./programimports.js";
import { type LaunchFolders, NO_PROJECT_FOLDERS, type Project, type ProjectFile } from "./project.js";
import { listProject } from "./projectfiles.js";
import { canBeProject, findProjectRoot, isHomeOrAbove } from "./projectroot.js";

/** Keys that mean something only with a project. */
const PROJECT_KEYS = ["build", "code", "cwd", "pythonpath"];

/** Returns the root of the project of a job, absolute; undefined = the job has no project. */
export function readProjectRoot(reader: JobReader): string | undefined {
  if (reader.has(["directory"])) return undefined;
  const written = reader.text(["project"]);
  if (written === "none") {
    for (const key of PROJECT_KEYS)
      if (reader.has([key])) reader.reportAt([key], `${key}: there is no project`, "remove `project: none`");
    return undefined;
  }
  if (written === undefined)
    return canBeProject(reader.folder, homedir()) ? findProjectRoot(reader.folder, homedir()) : undefined;
  const root = resolve(reader.folder, written);
  if (isHomeOrAbove(root, homedir())) {
    reader.reportAt(
      ["project"],
      `project: ${root} is your home folder or lies above it`,
      "move the job file into a folder of its own, and name that folder",
    );
    return undefined;
  }
  if (isBelow(root, reader.folder)) return root;
  reader.reportAt(["project"], `project: the job file is not in ${root}`, "name its folder or one above it");
  return undefined;
}

/** A project, how it is built, and where programs start in it. */
export interface ProjectSetup {
  readonly project: Project | undefined;
  readonly folders: LaunchFolders;
  readonly build?: BuildSpec;
}

/** Where the project of a job is, and where its results go. */
export interface ProjectPlace {
  /** Absolute; undefined = the job has no project. */
  readonly root: string | undefined;
  readonly folders: LaunchFolders;
  readonly published: PublishedFiles | undefined;
}

/**
 * Lists the files that are copied to nodes, and finds out where programs start. The job file, what the job stages as inputs or
 * publishes as outputs, and what a build wrote on this machine are not part of the project, because a run must not change what the
 * next one starts with. Reports why the project cannot be copied.
 */
export function readProject(
  reader: JobReader,
  { root, folders, published }: ProjectPlace,
  space: UnitSpace,
): ProjectSetup {
  const build = readBuild(reader, space);
  if (root === undefined) {
    if (build !== undefined && !reader.has(["project"]) && !reader.has(["directory"]))
      reader.reportAt(
        ["build"],
        "build: there is no project, because the job file lies in your home folder, above it, or in a shared folder",
        "move the job file into a folder of its own",
      );
    return { project: undefined, folders };
  }
  const code = reader.list(["code"])?.map(({ text }) => text);
  const exclude = listResults(reader, root, folders, space);
  for (const path of build === undefined ? [] : listLocalOutputs(build, join(root, folders.cwd)))
    exclude.add(posix.join(folders.cwd, path));
  const listing = listProject({ root, code, exclude, published });
  if (!listing.ok) {
    const key = ["code", "project"].find((one) => reader.has([one]));
    reader.reportAt(key === undefined ? [] : [key], listing.message, listing.hint);
    return { project: undefined, folders };
  }
  const { files, leftOut } = listing;
  const programs = listPrograms(space);
  // A build may make them executable.
  if (build === undefined) rejectWithoutMode(reader, programs, folders, files);
  const imports = scanPrograms(programs, folders, root, new Set(files.map(({ path }) => path)));
  for (const module of imports.missingModules) reportMissingModule(reader, module, root);
  const narrowedBy = code !== undefined ? "code" : reader.text(["code"]) === "imports" ? "imports" : undefined;
  const needed = narrowedBy === "imports" ? files.filter(({ path }) => imports.files.has(path)) : files;
  const pythonPath = reader.has(["pythonpath"]) ? folders.pythonPath : imports.importRoots;
  return { project: { root, files: needed, leftOut, narrowedBy }, folders: { ...folders, pythonPath }, build };
}

/** Reads where programs start. `root`: of the project; undefined = there is none. Reports folders that are not in the project. */
export function readFolders(reader: JobReader, root: string | undefined): LaunchFolders {
  if (root === undefined) return NO_PROJECT_FOLDERS;
  const job = relativeFolder(root, reader.folder);
  const written = reader.sourceText(["cwd"]);
  const cwd = written === undefined ? job : (readFolder(reader, root, written, "cwd") ?? job);
  const pythonPath = (reader.list(["pythonpath"]) ?? []).flatMap(
    (one, index) => readFolder(reader, root, one, `pythonpath[${index}]`) ?? [],
  );
  return { job, cwd, pythonPath };
}

/** Returns the inputs and outputs of all chunks, relative to the project's root, and the job file, whose `env` may hold secrets. */
function listResults(reader: JobReader, root: string, folders: LaunchFolders, space: UnitSpace): Set<string> {
  const { path: file } = reader.source;
  const paths = new Set(file === undefined ? [] : [relative(root, file)]);
  for (const { inputs } of space.specs) for (const { path } of inputs) paths.add(posix.join(folders.job, path));
  for (const { outputs } of space.outputs) for (const path of outputs) paths.add(posix.join(folders.cwd, path));
  return paths;
}

function listPrograms(space: UnitSpace): Set<Program> {
  const programs = new Set<Program>();
  for (const { program } of space.specs) programs.add(program);
  return programs;
}

/** Reports files of the project that a command starts, and that are not executable. */
function rejectWithoutMode(
  reader: JobReader,
  programs: ReadonlySet<Program>,
  folders: LaunchFolders,
  files: readonly ProjectFile[],
): void {
  const names = [...programs].flatMap((program) => (program.kind === "command" ? [program.command[0] ?? ""] : []));
  const relativeNames = new Set(names.filter((name) => name.includes("/") && !name.startsWith("/")));
  if (relativeNames.size === 0) return;
  const plain = new Set(files.filter(({ mode }) => mode === 0o644).map(({ path }) => path));
  for (const name of relativeNames) {
    if (!plain.has(posix.join(folders.cwd, name))) continue;
    const path: KeyPath = reader.list(["command"])?.[0]?.text === name ? ["command", 0] : [];
    reader.reportAt(
      path,
      `command[0]: "${name}" is not executable`,
      `chmod +x ${name}, or name its interpreter, e.g. command: [python3, ${name}]`,
    );
  }
}

function reportMissingModule(reader: JobReader, module: string, root: string): void {
  const path: KeyPath = reader.text(["module"]) === module ? ["module"] : [];
  reader.reportAt(path, `module: the project ${root} has no module ${module} that can be started`, "check its name");
}

/** Returns the path of a folder of the project, relative to its root; undefined, with a problem reported, where it is none. */
function readFolder(reader: JobReader, root: string, { text, position }: SourceText, what: string): string | undefined {
  const folder = resolve(root, text);
  const hint = `it is relative to the project's root, ${root}`;
  if (!isBelow(root, folder)) {
    reader.report(position, `${what}: "${text}" is outside the project`, hint);
    return undefined;
  }
  const found = inspectPath(folder);
  if (found.ok && found.stat?.isDirectory() === true) return relativeFolder(root, folder);
  if (found.ok) reader.report(position, `${what}: the project has no folder "${text}"`, hint);
  else reader.report(position, `${what}: "${text}" ${found.message}`, found.hint);
  return undefined;
}

function relativeFolder(root: string, folder: string): string {
  return posix.normalize(relative(root, folder) || ".");
}
