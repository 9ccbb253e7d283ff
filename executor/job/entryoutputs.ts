import { encodeName, shortenId } from "./chunkids.js";
import { type DeclaredOutputs, type OutputScope, readNamedOutputs } from "./outputs.js";
import { type JobReader, type KeyPath, type SourceText, textInPlaceOf } from "./reader.js";

const NO_OUTPUTS: DeclaredOutputs = { outputs: [] };
const ONLY_STDOUT: DeclaredOutputs = { outputs: [], takesStdout: true };

/**
 * Returns the outputs of an entry of a jobs file: the files that `declared` names, else what its program prints, unless that goes to a
 * terminal.
 */
export function readEntryOutputs(
  reader: JobReader,
  declared: SourceText[],
  what: string,
  scope: OutputScope,
): DeclaredOutputs {
  if (declared.length > 0) return readNamedOutputs(reader, declared, what, scope);
  return reader.source.get(["tty"]) === true ? NO_OUTPUTS : ONLY_STDOUT;
}

/** Yields the outputs that the args of the entries of a jobs file name, and the ids of their tasks. */
export function* listEntryOutputs(
  reader: JobReader,
  scope: OutputScope,
): Generator<{ id: string; outputs: DeclaredOutputs }> {
  for (const [index, path] of reader.items(["jobs"]).entries()) {
    const declared = findOutputArgs(reader.list([...path, "args"]) ?? []);
    yield { id: readJobId(reader, path, index), outputs: readEntryOutputs(reader, declared, "", scope) };
  }
}

/** Returns the arguments that follow `--output` or `--output=`. */
export function findOutputArgs(args: SourceText[]): SourceText[] {
  return args.flatMap((arg, index) => {
    if (arg.text.startsWith("--output=")) return textInPlaceOf(arg, arg.text.slice("--output=".length));
    return index > 0 && args[index - 1]!.text === "--output" ? arg : [];
  });
}

/** Returns `job_id` as a safe file name, or the position of the job if it has none. */
export function readJobId(reader: JobReader, path: KeyPath, index: number): string {
  const given = reader.text([...path, "job_id"]) ?? "";
  return given === "" ? `job-${index + 1}` : shortenId(encodeName(given), BigInt(index));
}
