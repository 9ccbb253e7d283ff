import { posix } from "node:path";
import type { Node } from "../../../fleet/node.js";
import type { ChunkSpec, Job, Program, StagedFile } from "../../job/job.js";
import { pathInCopy } from "../../job/project/project.js";
import type { AttemptSpec } from "../agent/protocol.js";
import type { RunContext } from "../runcontext.js";

/** Returns the files that a chunk needs beside the project. A script is mostly a part of it. */
export function stagedFilesOf(
  job: Job,
  { program, inputs }: ChunkSpec,
  { snapshot }: RunContext,
): readonly StagedFile[] {
  if (program.kind !== "script" || snapshot?.has(pathInCopy(job, program.script.path))) return inputs;
  return [program.script, ...inputs];
}

/** Returns what a chunk is started with on a node. */
export function buildAttemptSpec(job: Job, spec: ChunkSpec, run: RunContext, node: Node): AttemptSpec {
  const { cwd, pythonPath } = job.folders;
  return {
    argv: buildArgv(job, spec.program, node.python),
    env: spec.env,
    files: stagedFilesOf(job, spec, run).map(({ path, source }) => {
      const { sha256, mode, sizeBytes } = run.contents.get(source)!;
      return [pathInCopy(job, path), sha256, mode, sizeBytes];
    }),
    ...(run.snapshot === undefined ? {} : { tree: run.snapshot.id }),
    ...(cwd === "." ? {} : { cwd }),
    ...(pythonPath.length === 0 ? {} : { pythonPath: [...pythonPath] }),
    outputs: [...spec.outputs],
    timeout: spec.timeout,
    limit: job.limits.output,
    memory: job.needs.memory,
  };
}

function buildArgv(job: Job, program: Program, python: string): string[] {
  switch (program.kind) {
    case "command":
      return [...program.command];
    case "module":
      return [python, "-m", program.module];
    case "script": {
      const prefix = program.prefix.map((word) => (word === "{python}" ? python : word));
      const path = posix.relative(job.folders.cwd, pathInCopy(job, program.script.path));
      if (prefix.length > 0) return [...prefix, path];
      return [path.startsWith("../") ? path : `./${path}`];
    }
    default:
      return program satisfies never;
  }
}
