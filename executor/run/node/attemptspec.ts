import { posix } from "node:path";
import type { Node } from "../../../fleet/node.js";
import { findPlainOutputs } from "../../job/directory.js";
import { normalizePath } from "../../job/inputs.js";
import type { Chunk, ChunkSpec, Job, Program, StagedFile, WarmWorkers } from "../../job/job.js";
import { type LaunchFolders, NO_PROJECT_FOLDERS } from "../../job/project/project.js";
import { renderTemplate } from "../../job/template.js";
import type { Attempt } from "../../schedule/events.js";
import type { AttemptSpec, StartCommand } from "../agent/protocol.js";
import type { ChunkState } from "../record/keptstates.js";
import type { RunContext } from "../runcontext.js";
import { addPythonEnv, type NodePythonEnv } from "./nodepythonenv.js";

/** Returns the files that a chunk needs beside the project. A script is mostly a part of it. */
export function stagedFilesOf({ program, inputs }: ChunkSpec, { snapshot }: RunContext): readonly StagedFile[] {
  if (program.kind !== "script" || snapshot?.has(program.script.path)) return inputs;
  return [program.script, ...inputs];
}

/** Returns what an attempt of a chunk continues from; undefined = nothing. */
export function findState({ id, spec, firstResult }: Chunk, { states }: RunContext): ChunkState | undefined {
  return spec.state === undefined || firstResult !== undefined ? undefined : states?.find(id);
}

/** What the start of a program depends on, on one node. */
export interface NodeLaunch {
  readonly node: Node;
  /** The environment that Python programs run in; undefined = the node's own Python. */
  readonly pythonEnv: NodePythonEnv | undefined;
  /** The key of the project's build there; undefined = it is not built. */
  readonly buildKey: string | undefined;
  /** How many threads a program should have; undefined = unknown. */
  readonly threads: number | undefined;
}

/** Where an attempt runs. `root`: the run's folder on the node. */
export interface AttemptPlace {
  readonly root: string;
  readonly threads: number | undefined;
}

/** Returns the arguments of an attempt's program. */
export function renderArguments(job: Job, attempt: Attempt, run: RunContext, place: AttemptPlace): string[] {
  const { id, chunk, slot, gpus = [slot], devices = gpus } = attempt;
  const own = posix.join(place.root, "a", id);
  const values = {
    gpu: `${devices[0]}`,
    gpus: devices.join(","),
    // A warm worker has two working copies in turn, which only the agent knows.
    out: job.warm === undefined ? outFolder(attempt, run, place.root) : ".",
    cores: `${place.threads ?? 1}`,
    state: posix.join(own, "state"),
  };
  return chunk.spec.args.map((template) => renderTemplate(template, values));
}

/** Returns the folder that `{out}` stands for: of the attempt itself where programs run in a folder of the node. */
function outFolder({ id, slot }: Attempt, run: RunContext, root: string): string {
  if (run.directory !== undefined) return posix.join(root, "a", id, "work");
  return posix.join(root, "w", `${slot}`, launchFolders(run).cwd);
}

/** Returns what a chunk is started with on a node. `isolate`: what a warm worker's chunks have in common. */
export function buildAttemptSpec(
  job: Job,
  spec: ChunkSpec,
  run: RunContext,
  { node, pythonEnv, buildKey, threads }: NodeLaunch,
  isolate?: string,
): AttemptSpec {
  const folders = launchFolders(run);
  const { cwd, pythonPath } = folders;
  return {
    argv: buildArgv(folders, spec.program, pythonEnv?.python ?? node.python),
    env: addPythonEnv(spec.env, node, pythonEnv),
    files: stagedFilesOf(spec, run).map(({ path, source }) => {
      const { sha256, mode, sizeBytes } = run.contents.get(source)!;
      return [posix.join(folders.job, path), sha256, mode, sizeBytes];
    }),
    ...(run.snapshot === undefined ? {} : { tree: run.snapshot.id }),
    ...(job.directory === undefined ? {} : describeDirectory(job.directory, job.kind, spec)),
    ...(buildKey === undefined ? {} : { build: buildKey }),
    ...(cwd === "." ? {} : { cwd }),
    ...(pythonPath.length === 0 ? {} : { pythonPath: [...pythonPath] }),
    ...(job.tty ? { tty: true } : {}),
    ...describeOutputs(job, spec, cwd),
    ...(spec.inputs.length === 0 ? {} : { inputs: spec.inputs.length }),
    ...(Object.keys(job.params).length === 0 ? {} : { params: formatParams(job.params) }),
    ...(job.warm === undefined ? {} : { warm: describeWarm(job.warm, isolate) }),
    timeout: spec.timeout,
    grace: spec.grace,
    state: spec.state,
    stall: job.stallSeconds,
    limit: job.limits.output,
    memory: job.needs.memory,
    threads,
  };
}

function describeWarm({ chunks, seconds, memory }: WarmWorkers, isolate: string | undefined): AttemptSpec["warm"] {
  return { chunks, after: seconds, memory, isolate };
}

/** Returns what a warm worker's chunks have in common with this one; undefined = it may take any. */
export function isolationOf({ warm }: Job, { params }: Chunk): string | undefined {
  return warm?.isolateBy === undefined ? undefined : `${params?.[warm.isolateBy]}`;
}

/** Returns what the program of an attempt may learn about its chunk. */
export function describeChunk(job: Job, { number, chunk }: Attempt): Pick<StartCommand, "range" | "params" | "try"> {
  const { start, end, params } = chunk;
  return {
    ...(job.kind === "range" ? { range: [`${start}`, `${end}`] } : {}),
    ...(params === undefined ? {} : { params: formatParams({ ...job.params, ...params }) }),
    try: number,
  };
}

/** Returns parameters as JSON with exact integers, however large. */
export function formatParams(params: Job["params"]): string {
  const members = Object.entries(params).map(
    ([name, value]) => `${JSON.stringify(name)}: ${typeof value === "bigint" ? value : JSON.stringify(value)}`,
  );
  return `{${members.join(", ")}}`;
}

/** Returns the outputs as an agent takes them: relative to the top of the working copy. */
function describeOutputs({ limits }: Job, { outputs, appended, found, takesStdout }: ChunkSpec, cwd: string) {
  const place = (path: string) => posix.join(cwd, path);
  return {
    outputs: outputs.map(place),
    ...(appended === undefined ? {} : { append: appended.map(place) }),
    ...(found === undefined
      ? {}
      : { found: found.map((one) => ({ ...one, base: place(one.base) })), fileLimit: limits.files }),
    ...(takesStdout ? { stdoutLimit: limits.stdout } : {}),
  };
}

/** Only tasks have outputs in the directory: the chunks of other jobs would all write the same file. */
function describeDirectory(directory: string, kind: Job["kind"], spec: ChunkSpec) {
  const plain = kind === "tasks" ? findPlainOutputs(spec) : [];
  return { directory, plain, watch: listProgramFiles(spec.program) };
}

/** Returns where a program's own file may lie in the directory; it is the first that exists. None for a program in PATH. */
function listProgramFiles(program: Program): string[] {
  switch (program.kind) {
    case "script":
      return [];
    case "nodeScript":
      return [program.path];
    case "module": {
      const path = program.module.replaceAll(".", "/");
      return [`${path}.py`, `${path}/__main__.py`, `src/${path}.py`, `src/${path}/__main__.py`];
    }
    case "command": {
      const [word = ""] = program.command;
      const path = normalizePath(word);
      return word.includes("/") && path.ok ? [path.path] : [];
    }
    default:
      return program satisfies never;
  }
}

/** Returns where the programs of a run start. */
function launchFolders({ snapshot }: RunContext): LaunchFolders {
  return snapshot?.folders ?? NO_PROJECT_FOLDERS;
}

function buildArgv(folders: LaunchFolders, program: Program, python: string): string[] {
  switch (program.kind) {
    case "command":
      return [...program.command];
    case "module":
      return [python, "-m", program.module];
    case "nodeScript":
      return buildScriptWords(program.prefix, program.path, python);
    case "script": {
      const path = posix.relative(folders.cwd, posix.join(folders.job, program.script.path));
      return buildScriptWords(program.prefix, path, python);
    }
    default:
      return program satisfies never;
  }
}

/** `path`: of the script, relative to the working directory. */
function buildScriptWords(prefix: readonly string[], path: string, python: string): string[] {
  if (prefix.length > 0) return [...prefix.map((word) => (word === "{python}" ? python : word)), path];
  return [path.startsWith("../") ? path : `./${path}`];
}
