import { type FoundFiles, findInput, findScript } from "./inputs.js";
import type { ChunkSpec, Program, StagedFile, Template } from "./job.js";
import { readSeconds } from "./jobsettings.js";
import { readOutputs } from "./outputs.js";
import { detectProgram } from "./program.js";
import type { JobReader, KeyPath, SourceText } from "./reader.js";
import { fillTemplate, parseTemplate } from "./template.js";

/** What the placeholders of a job may be called, and the values of those that are known when it is loaded. */
export interface Placeholders {
  known: ReadonlySet<string>;
  params: ReadonlyMap<string, string>;
}

/** A value once for each text: thousands of tasks share their script and their inputs. */
export class LoadCache {
  readonly programs = new Map<string, Program | undefined>();
  readonly inputs = new Map<string, FoundFiles>();
}

/**
 * A work as far as it could be read: a job whose tasks each name their script has none of its own. `words`: what a `command`
 * has after its program; `args` come after them, and whoever replaces `args` keeps them.
 */
export type SpecDraft = Omit<ChunkSpec, "program"> & { program?: Program; words: Template[] };

/**
 * Reads what runs (script or command, args, inputs, outputs, env, timeout) at `path`: the job itself, or one of its tasks, which
 * takes what it leaves out from `base`. A program brings its own words and args, so a task that names one takes no args from the
 * job (as `command` and `args` of Kubernetes); `inputs` and `env` are added to the job's. Problems are noted.
 */
export function readSpecDraft(
  reader: JobReader,
  path: KeyPath,
  names: Placeholders,
  memory: LoadCache,
  base?: SpecDraft,
): SpecDraft {
  const what = path.length === 0 ? "" : `${path[0]}[${path[1]}].`;
  const start = readProgram(reader, path, names, memory, what);
  const args = readArgs(reader, reader.list([...path, "args"]), names, `${what}args`);
  const own = reader.list([...path, "inputs"]) ?? [];
  const inputs = readInputs(reader, own, memory, `${what}inputs`);
  const written = reader.list([...path, "outputs"]);
  const outputs = written === undefined ? (base?.outputs ?? []) : readOutputs(reader, written, `${what}outputs`);
  const inherited = start === undefined ? base : undefined;
  const program = start === undefined ? base?.program : start.program;
  const staged =
    inputs.length === 0 && inherited !== undefined
      ? inherited.inputs
      : removeDuplicates([...(base?.inputs ?? []), ...inputs], program);
  checkOverlap(reader, [...path, "outputs"], what.slice(0, -1) || "the job", { program, inputs: staged, outputs });
  return {
    program,
    words: start?.words ?? inherited?.words ?? [],
    args: args ?? inherited?.args ?? [],
    inputs: staged,
    outputs,
    env:
      base !== undefined && !reader.has([...path, "env"])
        ? base.env
        : { ...base?.env, ...readEnv(reader, [...path, "env"]) },
    timeout: readSeconds(reader, [...path, "timeout"]) ?? base?.timeout,
  };
}

/** The work of a draft; undefined, and noted, where nothing says what runs. */
export function finishSpec(reader: JobReader, path: KeyPath, draft: SpecDraft): ChunkSpec | undefined {
  if (draft.program !== undefined) return toChunkSpec(draft, draft.program);
  if (
    !reader.has([...path, "script"]) ||
    (reader.has([...path, "command"]) && !reader.has(["script"]) && !reader.has(["command"]))
  ) {
    const what = path.length === 0 ? "the job" : `${path[0]}[${path[1]}]`;
    reader.reportAt(path, `${what} has neither script nor command`, "name the script that it runs");
  }
  return undefined;
}

/** The work of a draft whose program is known: the words of its command first, then its args. */
export function toChunkSpec({ words, ...draft }: SpecDraft, program: Program): ChunkSpec {
  return { ...draft, program, args: words.length === 0 ? draft.args : [...words, ...draft.args] };
}

/** Notes an output that is staged as well: it would be there before anything has run. */
export function checkOverlap(
  reader: JobReader,
  path: KeyPath,
  what: string,
  work: Pick<SpecDraft, "program" | "inputs" | "outputs">,
): void {
  if (work.outputs.length === 0) return;
  const script = work.program?.kind === "script" ? [work.program.script] : [];
  for (const { path: staged } of [...script, ...work.inputs]) {
    const output = work.outputs.find(
      (one) => one === staged || one.startsWith(`${staged}/`) || staged.startsWith(`${one}/`),
    );
    if (output !== undefined) {
      reader.reportAt(path, `${what}: "${output}" is both read and written`, "write the output under another name");
    }
  }
}

/** Texts of `args` as templates; undefined where there is no list. */
export function readArgs(
  reader: JobReader,
  written: SourceText[] | undefined,
  names: Placeholders,
  what: string,
): Template[] | undefined {
  return written?.map((one, index) => {
    checkArgument(reader, one, `${what}[${index}]`);
    const { template, faults } = parseTemplate(one.text, names.known);
    for (const fault of faults) reader.report(one.position, `${what}[${index}]: ${fault.message}`, fault.hint);
    return fillTemplate(template, names.params);
  });
}

/** Notes text that cannot be passed to a program byte for byte. */
export function checkArgument(reader: JobReader, one: SourceText, what: string): void {
  if (one.text.includes("\0")) reader.report(one.position, `${what} holds a NUL character, which no argument can`);
  else if (/\p{Surrogate}/u.test(one.text))
    reader.report(one.position, `${what} holds half a character (a lone surrogate)`);
}

/** Environment as the file writes it. */
export function readEnv(reader: JobReader, path: KeyPath): Record<string, string> {
  for (const key of reader.keys(path)) {
    const one = reader.sourceText([...path, key]);
    if (one !== undefined) checkArgument(reader, one, `env.${key}`);
  }
  return reader.texts(path);
}

/** Finds files to stage, relative to `folder` (the reader's own by default). */
export function readInputs(
  reader: JobReader,
  written: SourceText[],
  memory: LoadCache,
  what: string,
  folder = reader.folder,
): StagedFile[] {
  return written.flatMap((one, index) => {
    const { text } = one;
    const find = () =>
      (folder === reader.folder ? reader.inputOverrides.find(text) : undefined) ?? findInput(folder, text);
    const found = getOrCreate(memory.inputs, `${folder}\0${text}`, find);
    if (found.ok) return found.files;
    reader.report(one.position, `${what}[${index}]: "${text}" ${found.message}`, found.hint);
    return [];
  });
}

/** The program of a script; noted and undefined where it cannot start. */
export function readScript(
  reader: JobReader,
  script: SourceText,
  memory: LoadCache,
  what: string,
  folder = reader.folder,
): Program | undefined {
  const key = `${folder}\0${script.text}`;
  if (memory.programs.get(key) !== undefined) return memory.programs.get(key);
  const found = findScript(folder, script.text);
  const started = found.ok ? detectProgram(found.files[0]!) : found;
  const program = started.ok ? started.program : undefined;
  if (!started.ok) reader.report(script.position, `${what}: "${script.text}" ${started.message}`, started.hint);
  memory.programs.set(key, program);
  return program;
}

const NO_FILES: StagedFile[] = [];

/** Inputs once each, without the script itself. */
export function removeDuplicates(inputs: StagedFile[], program: Program | undefined): StagedFile[] {
  if (inputs.length === 0) return NO_FILES;
  const byPath = new Map(inputs.map((input) => [input.path, input]));
  if (program?.kind === "script") byPath.delete(program.script.path);
  return [...byPath.values()];
}

/** A program, and the words of a command that come before `args`. */
interface CommandStart {
  program: Program | undefined;
  words: Template[];
}

function readProgram(
  reader: JobReader,
  path: KeyPath,
  names: Placeholders,
  memory: LoadCache,
  what: string,
): CommandStart | undefined {
  const script = reader.sourceText([...path, "script"]);
  const command = reader.list([...path, "command"]);
  if (script !== undefined && command !== undefined) {
    reader.report(
      reader.source.positionOfKey([...path, "command"]),
      `${what}command: there is a script too`,
      "keep one of them",
    );
  }
  if (script !== undefined) return { program: readScript(reader, script, memory, `${what}script`), words: [] };
  const first = command?.[0];
  if (first === undefined) return undefined;
  const words = readArgs(reader, command, names, `${what}command`) ?? [];
  const literal = words[0]!.every((piece) => typeof piece === "string");
  if (!literal) reader.report(first.position, `${what}command[0] may not hold placeholders`, "name the program itself");
  return { program: { kind: "command", command: [words[0]!.join("")] }, words: words.slice(1) };
}

function getOrCreate<T>(memory: Map<string, T>, key: string, make: () => T): T {
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  memory.set(key, made);
  return made;
}
