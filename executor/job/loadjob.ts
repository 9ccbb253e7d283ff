import { join } from "node:path";
import { listProfiles } from "../../fleet/gpus/gpugroups.js";
import { embeddedInventory, type Inventory } from "../../fleet/inventory.js";
import { checkSchema } from "../../schemas/checkschema.js";
import { InvalidFileError, UsageError } from "../../schemas/errors.js";
import { detectFileKind } from "../../schemas/filekind.js";
import { readSource } from "../../schemas/parsesource.js";
import { readSchema } from "../../schemas/schema.js";
import type { Source } from "../../schemas/source.js";
import { suggest } from "../../schemas/suggest.js";
import { createInvalidFileError } from "../../schemas/violations.js";
import { deriveName } from "./derivedname.js";
import { readDirectory, reportSharedOutputs } from "./directory.js";
import { countEnoughUnits, type Enough, readEnough } from "./enough.js";
import { readEnvFile } from "./envfile.js";
import { countGpus, needsOfAll } from "./gpucounts.js";
import { noteHiddenLibrary } from "./hiddenlibrary.js";
import type { InputOverrides } from "./inputoverrides.js";
import type { Job } from "./job.js";
import { describeOrigin } from "./joborigin.js";
import { type JobSettings, readJobSettings } from "./jobsettings.js";
import { readJobsFile } from "./jobsfile.js";
import { findLimitedValues } from "./limitedvalues.js";
import { readMatrix } from "./matrix.js";
import { OutputRegistry } from "./outputregistry.js";
import { findUsedPlaceholders, readPlaceholders } from "./placeholders.js";
import type { BuildSpec } from "./project/buildspec.js";
import { describeLeftOutFiles } from "./project/projectnotes.js";
import { type ProjectSetup, readFolders, readProject, readProjectRoot } from "./project/projectreader.js";
import { readPublishedFiles } from "./publishedreader.js";
import { readQueue } from "./queue/queuereader.js";
import { createRangeSpace } from "./range.js";
import { JobReader } from "./reader.js";
import { checkResultKeys, readResults } from "./resultkeys.js";
import { listPublishedPaths } from "./resultpath.js";
import { applyRange, applySetOptions } from "./setoptions.js";
import { createShardSpace } from "./shards.js";
import { finishSpec, LoadCache, readSpecDraft, toChunkSpec } from "./specreader.js";
import { readTasks } from "./tasks.js";
import type { UnitSpace } from "./unitspace.js";
import { describeUnmentionedOutputs } from "./unmentionedoutputs.js";
import { describeWork } from "./workkind.js";

export interface JobOptions {
  /** From `--set key=value`. */
  set?: Record<string, string>;
  /** From `--range START:END`. */
  range?: [bigint, bigint];
  /** Replaces the name in the file. */
  name?: string;
  /** The folder that relative paths start from, absolute. Default: the file's own. */
  folder?: string;
  /** Replaces `enough` of the file. */
  enough?: Enough;
  /** The nodes that may run the job, and its routes; undefined = what depends on it is not checked. */
  inventory?: Inventory;
  /** Where programs of this machine are looked for, as `listProgramFolders` returns them; undefined = `ask` is not checked. */
  programFolders?: readonly string[];
  /** From `--results` and `--overwrite`: an absolute path, and whether files there may be replaced. */
  results?: string;
  overwrite?: boolean;
  /** Files, absolute, that its run has published, beside those whose names are in the job. */
  ownResults?: ReadonlySet<string>;
  /** Replacements for inputs. */
  inputOverrides?: InputOverrides;
}

/**
 * Reads and checks a job file of any kind, or a jobs file of the Python coordinators, without contacting any node. `file`:
 * its path, or its parsed source, which options are written into. Throws InvalidFileError with every problem of the file, or
 * UsageError for options that do not fit it.
 */
export function loadJob(file: string | Source, options: JobOptions = {}): Job {
  const source = typeof file === "string" ? readSource(file) : file;
  const kind = detectFileKind(source);
  if (kind === "inventory" || kind === "pipeline") {
    throw new InvalidFileError([
      { ...source.positionOf([]), message: `is ${article(kind)}, not a job`, hint: "name a job file" },
    ]);
  }
  const schema = kind === "jobs-file" ? kind : "job";
  const keys = settableKeys(source, schema);
  const added = applySetOptions(source, options.set ?? {}, keys);
  if (options.range !== undefined) applyRange(source, options.range);

  const folder = options.folder ?? source.folder;
  const path = source.path ?? join(folder, `${source.file}.json`);
  const reader = new JobReader(source, folder, options.inputOverrides);
  for (const problem of checkSchema(source, schema)) reader.problems.push(problem);
  if (reader.keys([]).length === 0) throw createInvalidFileError(reader.problems);
  const settings = readJobSettings(reader, options.inventory, options.programFolders);
  const directory = readDirectory(reader);
  const projectRoot = readProjectRoot(reader);
  const folders = readFolders(reader, projectRoot);
  const results = readResults(reader, options);
  const outputScope = { cwd: folders.cwd, hasProject: projectRoot !== undefined };
  const published = results && readPublishedFiles(reader, results.folder, outputScope, options.ownResults);
  const cache = new LoadCache(projectRoot, directory, outputScope, published);
  const envFile = readEnvFile(reader);
  const env = envFile?.env ?? {};
  const space =
    schema === "job"
      ? readUnitSpace(reader, env, cache)
      : readJobsFile(reader, options.inventory ?? embeddedInventory(), env, cache);
  checkAddedParams(reader, added, keys);
  if (space !== undefined) checkResultKeys(reader, space, settings);
  const setup = space && readProject(reader, { root: projectRoot, folders, published }, space);
  const required = options.enough ?? readEnough(reader, ["enough"], "enough");
  const enough = space && countEnoughUnits(reader, required, space.units);
  if (reader.problems.length > 0 || space === undefined || setup === undefined)
    throw createInvalidFileError(reader.problems);
  const { identity, outputs: _, specs, ...units } = space;
  const gpuCounts = countGpus(specs);
  const deciding = { ...jobIdentity(source, identity, settings), ...launchIdentity(reader, setup), directory };
  return {
    name: options.name ?? reader.text(["name"]) ?? deriveName(path, JOB_NAMES),
    // Warm workers have other overheads than processes.
    work: `${describeWork(specs, folder)}${settings.warm === undefined ? "" : "-warm"}${describeShape(gpuCounts)}`,
    file: path,
    ...(source.path === undefined ? { content: source.content } : {}),
    folder,
    kind: schema === "job" ? (source.get(["kind"]) as Job["kind"]) : "tasks",
    ...units,
    get units() {
      return space.units;
    },
    launches: specs,
    ...settings,
    needs: needsOfAll(settings.needs, gpuCounts),
    ...(gpuCounts === undefined ? {} : { gpuCounts }),
    ...setup,
    ...summarizeOutputs(space),
    results,
    directory,
    enough,
    limitedValues: findLimitedValues(reader, limitNames(options.inventory)),
    get identity() {
      return JSON.stringify(deciding);
    },
    origin: describeOrigin(path, folder, options),
    envFile: envFile?.path,
    notes: [
      ...(envFile?.note === undefined ? [] : [envFile.note]),
      ...reader.notes,
      ...describeProject(reader, setup),
      ...(settings.warm === undefined ? [] : noteHiddenLibrary(specs, setup)),
      ...(directory === undefined ? describeUnmentionedOutputs(specs, setup.project) : []),
    ],
  };
}

/** A rate on two GPUs says little about the rate on one, so each is filed under a name of its own. */
function describeShape(counts: Job["gpuCounts"]): string {
  return counts === undefined || counts.fewest === 1 ? "" : `-${counts.fewest}gpus`;
}

/** Returns the keys that `--set` sets. In a job of another kind, `shards` is a parameter like any other. */
function settableKeys(source: Source, schema: "job" | "jobs-file"): string[] {
  const isShards = source.get(["kind"]) === "shards";
  const keys = Object.keys(readSchema(schema).properties as object);
  return keys.filter((key) => key !== "jobs" && (key !== "shards" || isShards));
}

const JOB_NAMES = { maxLength: 100, fallback: "job" };

/** Returns what a user should know about the project, one sentence each. */
function describeProject(reader: JobReader, { project }: ProjectSetup): string[] {
  if (project !== undefined) return describeLeftOutFiles(project);
  const isChosen = reader.has(["project"]) || reader.has(["directory"]);
  return isChosen || reader.text(["script"]) === undefined ? [] : [IN_HOME_FOLDER];
}

const IN_HOME_FOLDER =
  "only the script and inputs are copied to nodes, because the job file lies in your home folder, above it, or in a shared folder. Move it into a folder of its own.";

/** Returns the names of the values that the inventory's nodes limit. */
function limitNames(inventory: Inventory | undefined): Set<string> {
  return new Set(inventory?.nodes.flatMap(listProfiles).flatMap((profile) => Object.keys(profile.limits)));
}

/** `env`: the environment that the job's own `env` extends. */
function readUnitSpace(reader: JobReader, env: Record<string, string>, cache: LoadCache): UnitSpace | undefined {
  const kind = reader.text(["kind"]);
  const placeholders = readPlaceholders(reader, kind);
  const { known } = placeholders;
  // Tasks have parameters of their own.
  const isFilledLater = kind === "queue" || kind === "tasks";
  const filling = isFilledLater ? { known, params: new Map<string, string>() } : placeholders;
  const base = readSpecDraft(reader, [], filling, cache, { words: [], args: [], inputs: [], outputs: [], env });
  if (kind === "queue") return readQueue(reader, base, placeholders, cache);
  if (kind === "tasks") return readTasks(reader, base, placeholders, cache);
  // Units are checked even if there is no program, so that all problems are reported together.
  const spec = finishSpec(reader, [], base) ?? toChunkSpec(base, { kind: "command", command: [] });
  const paths = listPublishedPaths(spec, cache.outputScope.cwd);
  new OutputRegistry().register(reader, "a chunk", paths, () => reader.source.positionOf(["outputs"]));
  if (cache.directory !== undefined) reportSharedOutputs(reader, spec, cache.directory);
  if (kind === "range") return createRangeSpace(reader, spec);
  if (kind === "shards") return createShardSpace(reader, spec);
  return kind === "matrix" ? readMatrix(reader, spec) : undefined;
}

/** A parameter that only `--set` defines must be used in the job's args: anything else is a typing error. */
function checkAddedParams(reader: JobReader, added: string[], keys: string[]): void {
  const used = added.length === 0 ? new Set<string>() : findUsedPlaceholders(reader);
  for (const name of added) {
    if (used.has(name)) continue;
    const near = suggest(name, [...reader.keys(["params"]).filter((key) => !added.includes(key)), ...used, ...keys]);
    throw new UsageError(`--set ${name}: the job has no parameter or key "${name}"`, near);
  }
}

/** Returns what a job should know about the outputs of all its chunks. */
function summarizeOutputs({
  outputs,
}: UnitSpace): Pick<Job, "appended" | "findsOutputs" | "keepsState" | "mostOutputs"> {
  const appended = new Set<string>();
  let [findsOutputs, keepsState, mostOutputs] = [false, false, 0];
  for (const one of outputs) {
    mostOutputs = Math.max(mostOutputs, one.outputs.length);
    for (const path of one.appended ?? []) appended.add(path);
    findsOutputs ||= one.found !== undefined;
    keepsState ||= one.state !== undefined;
  }
  return {
    ...(appended.size > 0 ? { appended: [...appended] } : {}),
    ...(findsOutputs ? { findsOutputs } : {}),
    ...(keepsState ? { keepsState } : {}),
    mostOutputs,
  };
}

/** Returns everything that determines the results of a job. */
function jobIdentity(
  source: Source,
  ofSpace: UnitSpace["identity"],
  { params, tty, aggregate, collect, pythonEnv }: JobSettings,
) {
  const texts = Object.keys(params).map((key) => [key, source.text(["params", key])]);
  return {
    kind: source.get(["kind"]) ?? "jobs",
    ...ofSpace,
    params: texts,
    ...(tty ? { tty } : {}),
    aggregate,
    collect,
    python_env: pythonEnv?.name,
  };
}

/** Returns what the job says about how its project is built, and where programs start. */
function launchIdentity(reader: JobReader, { folders: { cwd, pythonPath }, build }: ProjectSetup) {
  return {
    ...(reader.has(["cwd"]) ? { cwd } : {}),
    ...(reader.has(["pythonpath"]) ? { pythonPath } : {}),
    ...(build === undefined ? {} : { build: identifyBuild(build) }),
  };
}

/** Returns what determines the result of a build; `env` is a key of its own, so that its values are hidden like the job's. */
function identifyBuild({ command, outputs, env, isPerGpu }: BuildSpec) {
  return { command, outputs, env, ...(isPerGpu ? { per: "gpu" } : {}) };
}

function article(kind: string): string {
  return kind === "inventory" ? "an inventory" : "a pipeline";
}
