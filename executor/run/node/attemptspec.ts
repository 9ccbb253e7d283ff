import { posix } from "node:path";
import type { Node } from "../../../fleet/node.js";
import type { ChunkSpec, Job, Program, StagedFile } from "../../job/job.js";
import { type LaunchFolders, NO_PROJECT_FOLDERS } from "../../job/project/project.js";
import type { AttemptSpec } from "../agent/protocol.js";
import type { RunContext } from "../runcontext.js";
import { addPythonEnv, type NodePythonEnv } from "./nodepythonenv.js";

/** Returns the files that a chunk needs beside the project. A script is mostly a part of it. */
export function stagedFilesOf({ program, inputs }: ChunkSpec, { snapshot }: RunContext): readonly StagedFile[] {
  if (program.kind !== "script" || snapshot?.has(program.script.path)) return inputs;
  return [program.script, ...inputs];
}

/** What the start of a program depends on, on one node. */
export interface NodeLaunch {
  readonly node: Node;
  /** The environment that Python programs run in; undefined = the node's own Python. */
  readonly pythonEnv: NodePythonEnv | undefined;
  /** The key of the project's build there; undefined = it is not built. */
  readonly buildKey: string | undefined;
}

/** Returns what a chunk is started with on a node. */
export function buildAttemptSpec(
  job: Job,
  spec: ChunkSpec,
  run: RunContext,
  { node, pythonEnv, buildKey }: NodeLaunch,
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
    ...(buildKey === undefined ? {} : { build: buildKey }),
    ...(cwd === "." ? {} : { cwd }),
    ...(pythonPath.length === 0 ? {} : { pythonPath: [...pythonPath] }),
    ...(job.tty ? { tty: true } : {}),
    outputs: [...spec.outputs],
    timeout: spec.timeout,
    limit: job.limits.output,
    memory: job.needs.memory,
  };
}

/** Returns where the programs of a run start. */
export function launchFolders({ snapshot }: RunContext): LaunchFolders {
  return snapshot?.folders ?? NO_PROJECT_FOLDERS;
}

function buildArgv(folders: LaunchFolders, program: Program, python: string): string[] {
  switch (program.kind) {
    case "command":
      return [...program.command];
    case "module":
      return [python, "-m", program.module];
    case "script": {
      const prefix = program.prefix.map((word) => (word === "{python}" ? python : word));
      const path = posix.relative(folders.cwd, posix.join(folders.job, program.script.path));
      if (prefix.length > 0) return [...prefix, path];
      return [path.startsWith("../") ? path : `./${path}`];
    }
    default:
      return program satisfies never;
  }
}
