import type { ChunkSpec, StagedFile } from "./job.js";
import { fillTemplate } from "./template.js";

/** The work of one chunk: everything shared with the others but its arguments. */
export function fillArguments(work: ChunkSpec, values: ReadonlyMap<string, string>): ChunkSpec {
  return { ...work, args: work.args.map((template) => fillTemplate(template, values)) };
}

/** Every file that some of these works stage, once each. */
export function* listStagedFiles(works: Iterable<Pick<ChunkSpec, "program" | "inputs">>): Generator<StagedFile> {
  const seen = new Set<string>();
  for (const { program, inputs } of works) {
    for (const file of program.kind === "script" ? [program.script, ...inputs] : inputs) {
      const key = `${file.path}\0${file.source}`;
      if (!seen.has(key)) yield file;
      seen.add(key);
    }
  }
}

/** What of a work decides over its results: not how long it may take. */
export function specIdentity(work: ChunkSpec): Record<string, unknown> {
  const { program } = work;
  return {
    ...(program.kind === "script" ? { script: program.script.path } : { command: program.command }),
    args: work.args,
    inputs: work.inputs.map(({ path }) => path),
    outputs: work.outputs,
    env: work.env,
  };
}
