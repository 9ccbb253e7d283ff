import type { ChunkSpec, Template } from "../chunk.js";
import { removeDuplicates, type SpecDraft, toChunkSpec } from "../specreader.js";
import type { TaskDefinition } from "./jobqueue.js";

/** Returns what a task runs, with what it inherits from `base`; undefined where neither names a program. */
export function createTaskSpec(
  task: TaskDefinition,
  base: SpecDraft,
  fillInherited: (args: SpecDraft["args"]) => readonly Template[],
): ChunkSpec | undefined {
  const program = task.program ?? base.program;
  if (program === undefined) return undefined;
  const isOwn = task.program !== undefined;
  const { outputs, takesStdout, found, appended } = task.outputs ?? base;
  return toChunkSpec(
    {
      words: isOwn ? [...(task.words ?? [])] : [...fillInherited(base.words)],
      args: task.args ?? (isOwn ? [] : fillInherited(base.args)),
      inputs: task.inputs === undefined ? base.inputs : removeDuplicates([...base.inputs, ...task.inputs], program),
      outputs,
      ...(takesStdout === undefined ? {} : { takesStdout }),
      ...(found === undefined ? {} : { found }),
      ...(appended === undefined ? {} : { appended }),
      env: task.env === undefined ? base.env : { ...base.env, ...task.env },
      gpus: base.gpus,
      timeout: task.timeout ?? base.timeout,
      state: task.state === false ? undefined : (task.state ?? base.state),
      grace: task.grace ?? base.grace,
    },
    program,
  );
}
