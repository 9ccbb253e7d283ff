import { checkOverlap, readDeclaredOutputs } from "./declaredoutputs.js";
import { readNodeScript, reportPlainInputs } from "./directory.js";
import { readSeveralGpus } from "./gpucounts.js";
import { noteGpuDevice } from "./gpunotes.js";
import { type FoundFiles, findInput, findScript } from "./inputs.js";
import type { ChunkSpec, Program, StagedFile, Template } from "./job.js";
import { readSeconds } from "./jobsettings.js";
import type { OutputScope } from "./outputs.js";
import { detectProgram } from "./program.js";
import type { PublishedFiles } from "./publishedfiles.js";
import type { JobReader, KeyPath, SourceText } from "./reader.js";
import { checkStateArgs, readState } from "./statesettings.js";
import { fillTemplate, parseTemplate } from "./template.js";

/** The names of a job's placeholders, and the values of those that are known when it is loaded. */
export interface Placeholders {
  known: ReadonlySet<string>;
  params: ReadonlyMap<string, string>;
}

/** What all specs of a job have in common: its project or directory, and the programs and inputs that were found, by path. */
export class LoadCache {
  /**
   * `projectRoot`: absolute; undefined where there is no project. `directory`: of the nodes; undefined = working copies. `published`:
   * what runs of the job publish in its folder of results; undefined = they publish in run directories.
   */
  constructor(
    readonly projectRoot: string | undefined,
    readonly directory: string | undefined,
    readonly outputScope: OutputScope,
    readonly published: PublishedFiles | undefined,
  ) {}

  readonly programs = new Map<string, Program | undefined>();
  readonly inputs = new Map<string, FoundFiles>();
}

/**
 * A chunk spec as far as it could be read: a job whose tasks each name a script has no program. `words`: the words of
 * `command` after the program; they precede `args` and stay when `args` is replaced.
 */
export type SpecDraft = Omit<ChunkSpec, "program"> & { program?: Program; words: Template[] };

/**
 * Reads what runs (script or command, args, inputs, outputs, env, timeout, grace) at `path`: the job, or one of its tasks, which
 * inherits what it leaves out from `base`. A task that names a program inherits no args from the job (as with `command` and
 * `args` in Kubernetes); its `inputs` and `env` are added to the job's. Problems are reported.
 */
export function readSpecDraft(
  reader: JobReader,
  path: KeyPath,
  placeholders: Placeholders,
  cache: LoadCache,
  base?: SpecDraft,
): SpecDraft {
  const what = path.length === 0 ? "" : `${path[0]}[${path[1]}].`;
  const start = readProgram(reader, path, placeholders, cache, what);
  const args = readArgs(reader, reader.list([...path, "args"]), placeholders, `${what}args`);
  const own = reader.list([...path, "inputs"]) ?? [];
  const inputs = readInputs(reader, own, cache, `${what}inputs`);
  const outputs = readDeclaredOutputs(reader, path, what, cache.outputScope, base);
  const inherited = start === undefined ? base : undefined;
  const program = start === undefined ? base?.program : start.program;
  const staged =
    inputs.length === 0 && inherited !== undefined
      ? inherited.inputs
      : removeDuplicates([...(base?.inputs ?? []), ...inputs], program);
  checkOverlap(
    reader,
    [...path, reader.has([...path, "outputs"]) ? "outputs" : "append"],
    what.slice(0, -1) || "the job",
    { program, inputs: staged, ...outputs },
  );
  const allArgs = args ?? inherited?.args ?? [];
  const state = readState(reader, path, base?.state);
  checkStateArgs(reader, path, [...(start?.words ?? []), ...(args ?? [])], state !== undefined);
  if (cache.directory !== undefined && (args !== undefined || own.length > 0))
    reportPlainInputs(reader, path, { args: allArgs, inputs: staged });
  return {
    program,
    words: start?.words ?? inherited?.words ?? [],
    args: allArgs,
    inputs: staged,
    ...outputs,
    env:
      base !== undefined && !reader.has([...path, "env"])
        ? base.env
        : { ...base?.env, ...readEnv(reader, [...path, "env"]) },
    gpus: readSeveralGpus(reader, path, base?.gpus),
    timeout: readSeconds(reader, [...path, "timeout"]) ?? base?.timeout,
    state,
    grace: readSeconds(reader, [...path, "grace"]) ?? base?.grace,
  };
}

/** Returns the spec of a draft; undefined, with a problem reported, if it has no program. */
export function finishSpec(reader: JobReader, path: KeyPath, draft: SpecDraft): ChunkSpec | undefined {
  if (draft.program !== undefined) return toChunkSpec(draft, draft.program);
  // A program that is named but cannot run has been reported.
  if (![...path.map((_, index) => path.slice(0, index)), path].some((at) => namesProgram(reader, at))) {
    const what = path.length === 0 ? "the job" : `${path[0]}[${path[1]}]`;
    reader.reportAt(
      path,
      `${what} names no program: neither script, module nor command`,
      "name the script that it runs",
    );
  }
  return undefined;
}

function namesProgram(reader: JobReader, path: KeyPath): boolean {
  return PROGRAM_KEYS.some((key) => reader.has([...path, key]));
}

/** Returns the spec of a draft with a program: the words of its command precede its args. */
export function toChunkSpec({ words, ...draft }: SpecDraft, program: Program): ChunkSpec {
  return { ...draft, program, args: words.length === 0 ? draft.args : [...words, ...draft.args] };
}

/** Returns the texts of `args` as templates; undefined = there is no list. */
function readArgs(
  reader: JobReader,
  written: SourceText[] | undefined,
  placeholders: Placeholders,
  what: string,
): Template[] | undefined {
  return written?.map((one, index) => {
    checkArgument(reader, one, `${what}[${index}]`);
    noteGpuDevice(reader, one, `${what}[${index}]`);
    const { template, fault } = parseTemplate(one.text, placeholders.known);
    if (fault !== undefined) reader.report(one.position, `${what}[${index}]: ${fault.message}`, fault.hint);
    return fillTemplate(template, placeholders.params);
  });
}

/** Reports text that cannot be passed to a program byte for byte. */
export function checkArgument(reader: JobReader, one: SourceText, what: string): void {
  if (one.text.includes("\0"))
    reader.report(one.position, `${what} contains a NUL character, which an argument cannot hold`);
  else if (/\p{Surrogate}/u.test(one.text)) reader.report(one.position, `${what} contains a lone surrogate`);
}

/** Returns the environment as the file writes it. */
export function readEnv(reader: JobReader, path: KeyPath): Record<string, string> {
  for (const key of reader.keys(path)) {
    const one = reader.sourceText([...path, key]);
    if (one !== undefined) checkArgument(reader, one, `env.${key}`);
  }
  return reader.texts(path);
}

/** Finds the files to stage, relative to `folder` (the reader's own by default), and reports paths that cannot be staged. */
export function readInputs(
  reader: JobReader,
  written: SourceText[],
  cache: LoadCache,
  what: string,
  folder = reader.folder,
): StagedFile[] {
  return written.flatMap((one, index) => {
    const { text } = one;
    const find = () =>
      (folder === reader.folder ? reader.inputOverrides.find(text) : undefined) ??
      findInput(folder, text, cache.projectRoot, (source) => cache.published?.has(source) === true);
    const found = getOrCreate(cache.inputs, `${folder}\0${text}`, find);
    if (found.ok) return found.files;
    const expected = folder === reader.folder ? reader.inputOverrides.expect(text) : undefined;
    if (expected?.ok) return expected.files;
    reader.report(one.position, `${what}[${index}]: "${text}" ${found.message}`, found.hint);
    return [];
  });
}

/** Returns the program of a script; undefined, with a problem reported, if it cannot start. */
export function readScript(
  reader: JobReader,
  script: SourceText,
  cache: LoadCache,
  what: string,
  folder = reader.folder,
): Program | undefined {
  const key = `${folder}\0${script.text}`;
  if (cache.programs.get(key) !== undefined) return cache.programs.get(key);
  const program =
    cache.directory === undefined
      ? readLocalScript(reader, script, cache, what, folder)
      : readNodeScript(reader, script, what);
  cache.programs.set(key, program);
  return program;
}

function readLocalScript(
  reader: JobReader,
  script: SourceText,
  cache: LoadCache,
  what: string,
  folder: string,
): Program | undefined {
  const found = findScript(reader.folder, folder, script.text, cache.projectRoot);
  const started = found.ok ? detectProgram(found.files[0]!) : found;
  if (started.ok) return started.program;
  reader.report(script.position, `${what}: "${script.text}" ${started.message}`, started.hint);
  return undefined;
}

const NO_FILES: StagedFile[] = [];

/** Returns each input once, without the script itself. */
export function removeDuplicates(inputs: StagedFile[], program: Program | undefined): StagedFile[] {
  if (inputs.length === 0) return NO_FILES;
  const byPath = new Map(inputs.map((input) => [input.path, input]));
  if (program?.kind === "script") byPath.delete(program.script.path);
  return [...byPath.values()];
}

/** Keys that name a program. */
const PROGRAM_KEYS = ["script", "module", "command"] as const;

/** A program, and the words of a command that precede `args`. */
interface CommandStart {
  program: Program | undefined;
  words: Template[];
}

function readProgram(
  reader: JobReader,
  path: KeyPath,
  placeholders: Placeholders,
  cache: LoadCache,
  what: string,
): CommandStart | undefined {
  const script = reader.sourceText([...path, "script"]);
  const command = reader.list([...path, "command"]);
  const module = reader.sourceText([...path, "module"]);
  const keys = PROGRAM_KEYS.filter((key) => reader.has([...path, key]));
  if (keys.length > 1) {
    const position = reader.source.positionOfKey([...path, keys[1]!]);
    reader.report(position, `${what}${keys[1]}: a ${keys[0]} is given as well`, "keep one of them");
  }
  if (module !== undefined) return { program: { kind: "module", module: module.text }, words: [] };
  if (script !== undefined) return { program: readScript(reader, script, cache, `${what}script`), words: [] };
  const first = command?.[0];
  if (first === undefined) return undefined;
  const words = readArgs(reader, command, placeholders, `${what}command`) ?? [];
  const literal = words[0]!.every((piece) => typeof piece === "string");
  if (!literal)
    reader.report(first.position, `${what}command[0] must not contain placeholders`, "name the program itself");
  return { program: { kind: "command", command: [words[0]!.join("")] }, words: words.slice(1) };
}

function getOrCreate<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  cache.set(key, made);
  return made;
}
