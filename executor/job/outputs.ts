import { posix } from "node:path";
import { findGlobFault, isGlob, isValidGlob, parseFoundOutputs } from "./foundoutputs.js";
import { normalizePath } from "./inputs.js";
import type { ChunkSpec, FoundOutputs } from "./job.js";
import { type JobReader, type KeyPath, type SourceText, textInPlaceOf } from "./reader.js";

/** What the chunks of a job leave behind: the part of a ChunkSpec that says so. */
export type DeclaredOutputs = Pick<ChunkSpec, "outputs" | "takesStdout" | "found" | "appended">;

/** The entry of `outputs` that stands for what the program prints. A file of that name is written `./stdout`. */
export const STDOUT = "stdout";

/** Placeholders of `args` that differ between chunks. */
const PLACEHOLDER = /\{(?:chunk|start|end|last|count|index|number|shards)\}/;

/** Where the outputs of a job may lie. */
export interface OutputScope {
  /** The working directory of its programs, relative to the project's root; "." without a project. */
  readonly cwd: string;
  /** Whether outputs may lie above the working directory. */
  readonly hasProject: boolean;
}

/** A path in the normal form, or why no output may lie there. */
export type OutputPath = { ok: true; path: string } | { ok: false; message: string };

/** An entry of `outputs` that names a folder or a glob, and the number of files that it must have. */
interface FoundItem {
  one: SourceText;
  atLeast: number | undefined;
  atMost: number | undefined;
}

/** Reads the list `outputs` at `path`: files, `stdout`, folders (`out/`) and globs. Reports those that are invalid. */
export function readOutputs(reader: JobReader, path: KeyPath, what: string, scope: OutputScope): DeclaredOutputs {
  const files: SourceText[] = [];
  const found: FoundItem[] = [];
  let takesStdout = false;
  for (const item of reader.items(path)) {
    const one = reader.sourceText(item);
    if (one === undefined) found.push(...readFoundItem(reader, item, what));
    else if (PLACEHOLDER.test(one.text)) reportPlaceholder(reader, one, what);
    else if (reportGlobFault(reader, one, what)) continue;
    else if (one.text === STDOUT) {
      if (takesStdout) reportTwice(reader, one, what);
      takesStdout = true;
    } else if (isFolderOrGlob(one.text)) found.push({ one, atLeast: undefined, atMost: undefined });
    else files.push(one);
  }
  return {
    outputs: readFiles(reader, files, what, scope),
    ...(takesStdout ? { takesStdout } : {}),
    ...readFound(reader, found, what, scope),
  };
}

/** Reads outputs whose names are taken as they are written; one that ends with a slash is a folder. */
export function readNamedOutputs(
  reader: JobReader,
  written: SourceText[],
  what: string,
  scope: OutputScope,
): DeclaredOutputs {
  const isFolder = ({ text }: SourceText) => text.endsWith("/");
  const folders = written.filter(isFolder).map((one) => ({ one, atLeast: undefined, atMost: undefined }));
  const files = written.filter((one) => !isFolder(one));
  return { outputs: readFiles(reader, files, what, scope), ...readFound(reader, folders, what, scope) };
}

/** Reads outputs that are files, as normalized paths. Reports those that are invalid. */
export function readFiles(reader: JobReader, written: SourceText[], what: string, scope: OutputScope): string[] {
  const files: string[] = [];
  for (const one of written) {
    const located = normalizeOutput(one.text, scope);
    const fault = located.ok ? findFileFault(located.path) : located.message;
    if (one.text.startsWith("{out}/")) reportOut(reader, one, what);
    else if (fault !== undefined) reportInvalid(reader, one, what, fault);
    else if (located.ok && files.includes(located.path)) reportTwice(reader, one, what);
    else if (located.ok) files.push(located.path);
  }
  // A list that has grown has spare capacity, and each of a hundred thousand tasks has one.
  return files.slice();
}

/** Normalizes the path of an output, relative to the working directory; it may begin with `../` inside the project. */
function normalizeOutput(path: string, { cwd, hasProject }: OutputScope): OutputPath {
  if (!hasProject || !path.split("/").includes("..")) return normalizePath(path);
  if (path.startsWith("/") || path.includes("\0")) return normalizePath(path);
  if (posix.join(cwd, path).startsWith("..")) return { ok: false, message: "is outside the project" };
  return { ok: true, path: posix.relative(cwd, posix.join(cwd, path)) || "." };
}

/** Returns the texts that name the outputs in a job file. */
export function listOutputNames({ outputs, takesStdout, found = [] }: DeclaredOutputs): string[] {
  return [...(takesStdout ? [STDOUT] : []), ...outputs, ...found.map(({ written }) => written)];
}

function readFoundItem(reader: JobReader, item: KeyPath, what: string): FoundItem[] {
  const keys = ["folder", "glob"].filter((key) => reader.has([...item, key]));
  const one = keys.length === 1 ? reader.sourceText([...item, keys[0]!]) : undefined;
  if (keys.length !== 1)
    reader.reportAt(item, `${what}: an entry needs either folder or glob`, 'e.g. {glob: "*.srt", at_least: 1}');
  if (one === undefined || reportGlobFault(reader, one, what)) return [];
  const [atLeast, atMost] = [reader.number([...item, "at_least"]), reader.number([...item, "at_most"])];
  if (atMost !== undefined && atMost > 0 && (atLeast ?? 1) > atMost)
    reader.reportAt(item, `${what}: at_least ${atLeast ?? 1} is more than at_most ${atMost}`);
  const isFolder = keys[0] === "folder" && !one.text.endsWith("/");
  return [{ one: isFolder ? textInPlaceOf(one, `${one.text}/`) : one, atLeast, atMost }];
}

function readFound(
  reader: JobReader,
  items: FoundItem[],
  what: string,
  scope: OutputScope,
): Pick<DeclaredOutputs, "found"> {
  const found: FoundOutputs[] = [];
  for (const { one, atLeast, atMost } of items) {
    const parsed = parseFoundOutputs(one.text, { atLeast: atLeast ?? 1, atMost });
    const located = normalizeOutput(parsed.base, scope);
    if (one.text.startsWith("{out}/")) reportOut(reader, one, what);
    else if (!located.ok) reportInvalid(reader, one, what, located.message);
    else if (!isValidGlob(parsed)) reportInvalid(reader, one, what, "is not a valid glob");
    else {
      const outputs = { ...parsed, base: located.path.replace(/(?<=.)\/$/, "") };
      if (found.some((other) => isSameFound(other, outputs))) reportTwice(reader, one, what);
      else found.push(outputs);
    }
  }
  return found.length === 0 ? {} : { found };
}

function isSameFound(one: FoundOutputs, other: FoundOutputs): boolean {
  return one.base === other.base && one.pattern === other.pattern;
}

function isFolderOrGlob(text: string): boolean {
  return text.endsWith("/") || isGlob(text);
}

function reportInvalid(reader: JobReader, one: SourceText, what: string, fault: string): void {
  const hint = "outputs lie in the working directory of the chunk, or elsewhere in the project";
  reader.report(one.position, `${what}: "${one.text}" ${fault}`, hint);
}

function reportOut(reader: JobReader, one: SourceText, what: string): void {
  const plain = one.text.slice("{out}/".length);
  reader.report(one.position, `${what}: "${one.text}" is relative to {out} already`, `write ${plain}`);
}

function reportPlaceholder(reader: JobReader, one: SourceText, what: string): void {
  const folder = posix.dirname(one.text.replace(PLACEHOLDER, "x"));
  const example = folder === "." ? `a glob such as "*${posix.extname(one.text)}"` : `the folder, "${folder}/"`;
  reader.report(one.position, `${what}: placeholders are not replaced in "${one.text}"`, `name ${example}`);
}

/** Returns whether the text has a fault. */
function reportGlobFault(reader: JobReader, one: SourceText, what: string): boolean {
  const fault = findGlobFault(one.text);
  if (fault !== undefined) reader.report(one.position, `${what}: "${one.text}" ${fault.message}`, fault.hint);
  return fault !== undefined;
}

function reportTwice(reader: JobReader, one: SourceText, what: string): void {
  reader.report(one.position, `${what}: "${one.text}" appears twice`);
}

function findFileFault(path: string): string | undefined {
  if (path === "." || path === "./") return "is the working directory itself";
  if (path.endsWith("/")) return "is a folder";
  if (path.split("/").at(-1) === "..") return "is a folder";
  if (path.split("/").some((part) => part.toLowerCase() === ".git"))
    return "lies in .git, which results must not change";
  if (path.split("/").some((part) => Buffer.byteLength(part) > 255)) return "has a name longer than 255 bytes";
  return undefined;
}
