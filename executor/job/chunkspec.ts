import { outputIdentity } from "./declaredoutputs.js";
import type { ChunkSpec, Program, StagedFile } from "./job.js";
import { fillTemplate } from "./template.js";

/** Returns the spec of one chunk: the shared spec with its arguments filled. */
export function fillArguments(spec: ChunkSpec, values: ReadonlyMap<string, string>): ChunkSpec {
  return { ...spec, args: spec.args.map((template) => fillTemplate(template, values)) };
}

/** Yields every file that any of these specs stages, once each. */
export function* listStagedFiles(specs: Iterable<Pick<ChunkSpec, "program" | "inputs">>): Generator<StagedFile> {
  const seen = new Set<string>();
  for (const { program, inputs } of specs) {
    for (const file of program.kind === "script" ? [program.script, ...inputs] : inputs) {
      const key = `${file.path}\0${file.source}`;
      if (!seen.has(key)) yield file;
      seen.add(key);
    }
  }
}

/** Returns the parts of a spec that determine its results; its timeout and its grace do not. */
export function specIdentity(spec: ChunkSpec): Record<string, unknown> {
  const { program } = spec;
  return {
    ...programIdentity(program),
    args: spec.args,
    inputs: spec.inputs.map(({ path }) => path),
    ...outputIdentity(spec),
    env: spec.env,
  };
}

function programIdentity(program: Program): Record<string, unknown> {
  switch (program.kind) {
    case "script":
      return { script: program.script.path };
    case "nodeScript":
      return { script: program.path };
    case "module":
      return { module: program.module };
    case "command":
      return { command: program.command };
    default:
      return program satisfies never;
  }
}
