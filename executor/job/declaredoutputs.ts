import { isGlob } from "./foundoutputs.js";
import type { ChunkSpec, Program, StagedFile } from "./job.js";
import { type DeclaredOutputs, type OutputScope, readFiles, readOutputs } from "./outputs.js";
import type { JobReader, KeyPath } from "./reader.js";
import { findUnjoinableName } from "./unjoinable.js";

/** Reads `outputs` and `append` at `path`: the job, or one of its tasks. Each is inherited from `base` where it is left out. */
export function readDeclaredOutputs(
  reader: JobReader,
  path: KeyPath,
  what: string,
  scope: OutputScope,
  base: DeclaredOutputs = { outputs: [] },
): DeclaredOutputs {
  const [hasOutputs, hasAppended] = [reader.has([...path, "outputs"]), reader.has([...path, "append"])];
  if (!hasOutputs && !hasAppended) return pickOutputs(base);
  const appended = hasAppended ? readAppended(reader, path, what, scope) : (base.appended ?? []);
  const own = hasOutputs ? readOutputs(reader, [...path, "outputs"], `${what}outputs`, scope) : withoutAppended(base);
  const outputs = appended.length === 0 ? own.outputs : [...own.outputs, ...appended];
  return { ...own, outputs, ...(appended.length === 0 ? {} : { appended }) };
}

function pickOutputs({ outputs, takesStdout, found, appended }: DeclaredOutputs): DeclaredOutputs {
  return {
    outputs,
    ...(takesStdout === undefined ? {} : { takesStdout }),
    ...(found === undefined ? {} : { found }),
    ...(appended === undefined ? {} : { appended }),
  };
}

function withoutAppended(base: DeclaredOutputs): DeclaredOutputs {
  const { appended = [], ...others } = pickOutputs(base);
  return { ...others, outputs: others.outputs.filter((output) => !appended.includes(output)) };
}

function readAppended(reader: JobReader, path: KeyPath, what: string, scope: OutputScope): string[] {
  const written = reader.list([...path, "append"]) ?? [];
  const joinable = written.filter(({ text, position }) => {
    const fault = isGlob(text)
      ? { message: "is a glob, and one file is joined", hint: "name the file" }
      : findUnjoinableName(text);
    if (fault !== undefined) reader.report(position, `${what}append: "${text}" ${fault.message}`, fault.hint);
    return fault === undefined;
  });
  return readFiles(reader, joinable, `${what}append`, scope);
}

/**
 * Reports an output that is also staged: a script, a file where an input needs a folder, or the reverse. An input may be an output too:
 * the program edits its own copy.
 */
export function checkOverlap(
  reader: JobReader,
  path: KeyPath,
  what: string,
  spec: DeclaredOutputs & { program?: Program; inputs: readonly StagedFile[] },
): void {
  if (spec.outputs.length === 0) return;
  const isEditable = (path: string) => spec.appended?.includes(path) !== true;
  const staged = [
    ...scriptsOf(spec.program).map(({ path }) => ({ path, isInput: false })),
    ...spec.inputs.map(({ path }) => ({ path, isInput: true })),
  ];
  for (const { path: name, isInput } of staged) {
    const output = spec.outputs.find(
      (one) =>
        (one === name && !(isInput && isEditable(one))) || one.startsWith(`${name}/`) || name.startsWith(`${one}/`),
    );
    if (output !== undefined)
      reader.reportAt(path, `${what}: "${output}" is both read and written`, "write the output under another name");
  }
}

function scriptsOf(program: Program | undefined): { path: string }[] {
  if (program?.kind === "script") return [program.script];
  return program?.kind === "nodeScript" ? [program] : [];
}

/** Returns the outputs that determine the results of a chunk; keys are left out where they were not known to earlier versions. */
export function outputIdentity({ outputs, takesStdout, found, appended }: ChunkSpec): Record<string, unknown> {
  return {
    outputs,
    ...(takesStdout ? { stdout: true } : {}),
    ...(found === undefined
      ? {}
      : { found: found.map(({ written, atLeast, atMost }) => ({ written, atLeast, atMost })) }),
    ...(appended === undefined ? {} : { append: appended }),
  };
}
