import { statSync } from "node:fs";
import { join, normalize } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { checkOverlap } from "./declaredoutputs.js";
import { findOutputArgs, readEntryOutputs, readJobId } from "./entryoutputs.js";
import { readSeveralGpus } from "./gpucounts.js";
import { isBelow } from "./inputs.js";
import type { ChunkSpec, StagedFile } from "./job.js";
import { readSeconds } from "./jobsettings.js";
import { OutputRegistry } from "./outputregistry.js";
import type { OutputScope } from "./outputs.js";
import type { JobReader, KeyPath, SourceText } from "./reader.js";
import { listResultPaths } from "./resultpath.js";
import { type EntryProgram, readRoute } from "./route.js";
import { checkArgument, type LoadCache, readEnv, readInputs, readScript, removeDuplicates } from "./specreader.js";
import { readState } from "./statesettings.js";
import { TaskList } from "./tasklist.js";
import { IdRegistry, readTaskRank } from "./tasks.js";
import type { UnitSpace } from "./unitspace.js";

/**
 * Reads a jobs file of the Python coordinators as it is: nothing in it is a placeholder. `env`: the environment that its
 * own `env` extends. Where its programs run in a folder of the nodes, no arg is an input: files that args name are there already.
 */
export function readJobsFile(
  reader: JobReader,
  inventory: Inventory,
  env: Record<string, string>,
  cache: LoadCache,
): UnitSpace {
  const ids = new IdRegistry(reader);
  const registry = new OutputRegistry();
  const files = cache.directory === undefined ? new NamedFiles(reader, cache.projectRoot) : undefined;
  const shared = {
    env: { ...env, ...readEnv(reader, ["env"]) },
    timeout: readSeconds(reader, ["timeout"]),
    grace: readSeconds(reader, ["grace"]),
    state: readState(reader, [], undefined),
  };
  const inputs = readInputs(reader, reader.list(["inputs"]) ?? [], cache, "inputs");
  const tasks = new TaskList();
  for (const [index, path] of reader.items(["jobs"]).entries()) {
    const id = readJobId(reader, path, index);
    const isNew = ids.add(id, reader.has([...path, "job_id"]) ? [...path, "job_id"] : path);
    const entry = readEntryProgram(reader, path, id, inventory, cache);
    if (entry === undefined) continue;
    const own = { ...entry, inputs: [...inputs, ...entry.inputs] };
    const gpus = readSeveralGpus(reader, path, readSeveralGpus(reader, [], undefined));
    const spec = { ...readEntrySpec(reader, path, own, files, cache.outputScope), ...shared, gpus };
    const paths = listResultPaths({ kind: "tasks", folders: cache.outputScope }, { id, spec });
    if (isNew) registry.register(reader, id, paths, () => reader.source.positionOf([...path, "args"]));
    tasks.add({ id, spec, gpu: reader.number([...path, "gpu_id"]), ...readTaskRank(reader, path) });
  }
  return tasks.toUnitSpace();
}

/** Returns the entry's own script if it names one, else what the inventory's route for its type runs. */
function readEntryProgram(
  reader: JobReader,
  path: KeyPath,
  id: string,
  inventory: Inventory,
  cache: LoadCache,
): EntryProgram | undefined {
  const script = reader.sourceText([...path, "script"]);
  if (script === undefined) return readRoute(reader, path, id, inventory, cache);
  const program = readScript(reader, script, cache, `jobs[${path[1]}].script`);
  return program === undefined ? undefined : { program, args: [], inputs: [] };
}

function readEntrySpec(
  reader: JobReader,
  path: KeyPath,
  entry: EntryProgram,
  files: NamedFiles | undefined,
  scope: OutputScope,
): Omit<ChunkSpec, "env"> {
  const what = `jobs[${path[1]}].args`;
  const own = reader.list([...path, "args"]) ?? [];
  for (const [index, arg] of own.entries()) checkArgument(reader, arg, `${what}[${index}]`);
  const texts = [...entry.args.map(({ written }) => written), ...own];
  const declared = entry.outputs ?? findOutputArgs(texts);
  const outputs = readEntryOutputs(reader, declared, what, scope);
  const inputs = [...entry.inputs, ...(files?.findNamed(texts.filter((arg) => !declared.includes(arg))) ?? [])];
  const program = entry.program;
  checkOverlap(reader, [...path, "args"], `jobs[${path[1]}]`, { program, inputs, ...outputs });
  const args = [...entry.args.map(({ template }) => template), ...own.map(({ text }) => [text])];
  return { program, args, inputs: removeDuplicates(inputs, program), ...outputs };
}

/** Finds the files that arguments name, in the project or else below the jobs file's folder; each text is looked up once. */
class NamedFiles {
  readonly #reader: JobReader;
  /** Files outside of this folder cannot be staged. */
  readonly #root: string;
  readonly #known = new Map<string, StagedFile | "outside" | undefined>();

  constructor(reader: JobReader, projectRoot: string | undefined) {
    this.#reader = reader;
    this.#root = projectRoot ?? reader.folder;
  }

  findNamed(args: SourceText[]): StagedFile[] {
    return args.flatMap((arg) => {
      if (arg.text.startsWith("--output=")) return [];
      const name = /^--?[A-Za-z][\w-]*=(.+)$/s.exec(arg.text)?.[1] ?? arg.text;
      const found = this.#find(name);
      if (found !== "outside") return found ?? [];
      const message = `"${name}" is a file outside ${this.#root}, so it cannot be staged`;
      this.#reader.report(arg.position, message, "move it there, or name a folder above both with `project`");
      return [];
    });
  }

  #find(name: string): StagedFile | "outside" | undefined {
    const fed = this.#reader.inputOverrides.find(name);
    if (fed?.ok && fed.files.length === 1) return fed.files[0];
    if (this.#known.has(name)) return this.#known.get(name);
    const found = this.#look(name);
    this.#known.set(name, found);
    return found;
  }

  #look(name: string): StagedFile | "outside" | undefined {
    // An absolute path is a path on the node: it is passed on unchanged.
    if (name === "" || name.startsWith("/") || name.length > 4000 || name.includes("\0")) return undefined;
    const source = join(this.#reader.folder, name);
    const bytes = fileSize(source);
    if (bytes === undefined) return undefined;
    const path = normalize(name);
    return isBelow(this.#root, source) ? { source, path, bytes } : "outside";
  }
}

/** Returns the size of a file in bytes; undefined = there is no such file. */
function fileSize(path: string): number | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() ? stat.size : undefined;
  } catch {
    return undefined;
  }
}
