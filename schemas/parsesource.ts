import { basename } from "node:path";
import { isScalar } from "yaml";
import { InvalidFileError, type Problem } from "./errors.js";
import { type JsonProblem, parseJson, parseJsonLines, parseTaskLines } from "./jsonparser.js";
import { OffsetTable } from "./offsettable.js";
import { type ParsedText, Source, toExactNumber } from "./source.js";
import { readTextFile } from "./textfile.js";
import { createInvalidFileError } from "./violations.js";
import { compose, composePieces, MAX_YAML_DEPTH, type YamlProblem } from "./yamlpieces.js";
import { YamlValueBuilder } from "./yamlvalue.js";

/** The yaml package takes about one second per MiB. */
const MAX_YAML_LENGTH = 16 * 1024 * 1024;

/** Reads a YAML, JSON or JSON lines file of at most 64 MiB. Throws InvalidFileError with every syntax problem. */
export function readSource(file: string): Source {
  const text = readTextFile(file);
  const problem = findForeignFile(file, text);
  if (problem !== undefined) throw new InvalidFileError([problem]);
  return parseSource(file, text);
}

/** Finds out that a file is a program or a text for people, whatever YAML makes of it. */
function findForeignFile(file: string, text: string): Problem | undefined {
  const name = basename(file);
  if (text.startsWith("#!") || /\.(py|ipynb|sh|bash|pl|rb|js|mjs|ts|r|jl|lua|c|cc|cpp|cu|rs|go)$/i.test(name))
    return { file, message: "is a program, not a job file", hint: `name it in a job file: script: ${name}` };
  if (/\.(md|rst|adoc|html?)$/i.test(name))
    return { file, message: "is a text for people, not a job file", hint: "name a job, a pipeline or an inventory" };
  return undefined;
}

/**
 * Parses the text of `file`: JSON lines if its extension is .ndjson or .jsonl, strict JSON if it is valid as such, else YAML 1.2.
 * Throws InvalidFileError with every syntax problem.
 */
export function parseSource(file: string, text: string): Source {
  if (/\.(ndjson|jsonl)$/.test(file)) return parseLines(file, text);
  if (!/^\s*[[{]/.test(text)) return new Source(file, text, parseYaml(file, text));
  const json = parseJson(text);
  if ("value" in json) return new Source(file, text, json);
  // A YAML flow mapping also begins with a brace, so only a file named *.json must be valid JSON.
  if (!json.syntax || file.endsWith(".json")) throw new InvalidFileError([jsonProblem(file, text, json)]);
  return new Source(file, text, parseYaml(file, text));
}

/**
 * Parses the tasks of a queue: JSON lines with a task each, or a list in YAML or JSON, also as the only key `tasks` of a mapping. Returns
 * the source of a job with these tasks and no further keys. Throws InvalidFileError with every syntax problem.
 */
export function parseTasks(file: string, text: string): Source {
  if (text.trim() === "") throw new InvalidFileError([{ file, message: "has no tasks" }]);
  const parsed = areTaskLines(file, text) ? parseTaskLines(text) : parseDocument(file, text);
  if (!("value" in parsed)) throw new InvalidFileError([jsonProblem(file, text, parsed)]);
  const { value, offsets, texts } = parsed;
  const opened = offsets.open();
  const list = findTaskList(parsed);
  if (list === undefined) {
    const place = new Source(file, text, parsed).positionOf([]);
    const hint = 'write a list of tasks, each with an id, or a task in each line: {"id": ...}';
    throw new InvalidFileError([{ ...place, message: "is no list of tasks", hint }]);
  }
  for (const [key, block] of [
    ["kind", 0],
    ["tasks", list],
  ] as const)
    offsets.add(key, 0, 0, block);
  const top = { kind: "tasks", tasks: Array.isArray(value) ? value : (value as { tasks: unknown }).tasks };
  return new Source(file, text, { value: top, offsets, block: offsets.close(opened, top), texts });
}

/** Whether each line is a task: the name of the file says so, or its first line is a mapping, and not one with the key `tasks`. */
function areTaskLines(file: string, text: string): boolean {
  if (/\.(ndjson|jsonl)$/.test(file)) return true;
  const [first = ""] = text.trimStart().split("\n", 1);
  const parsed = first.startsWith("{") ? parseJson(first) : undefined;
  return parsed !== undefined && "value" in parsed && !Object.hasOwn(parsed.value as object, "tasks");
}

/** Returns the block of the list of tasks in a parsed file; undefined where it is none. */
function findTaskList({ value, offsets, block }: ParsedText): number | undefined {
  if (Array.isArray(value)) return block;
  const isOnlyKey = typeof value === "object" && value !== null && Object.keys(value).join() === "tasks";
  if (!isOnlyKey || !Array.isArray((value as { tasks: unknown }).tasks)) return undefined;
  return offsets.entry(block, 0)?.block;
}

/** Parses strict JSON if it is valid as such, else YAML. */
function parseDocument(file: string, text: string): ParsedText {
  const json = /^\s*[[{]/.test(text) ? parseJson(text) : undefined;
  return json !== undefined && "value" in json ? json : parseYaml(file, text);
}

/** Parses one scalar in YAML notation, e.g. the value of `--set key=value`; undefined if the text is not a scalar. */
export function parseScalar(text: string): { value: string | number | bigint | boolean; text: string } | undefined {
  const composed = compose(text);
  if ("tooDeep" in composed || composed.problems.length > 0) return undefined;
  const node = composed.document.contents;
  if (!isScalar(node)) return undefined;
  const value = typeof node.value === "bigint" ? toExactNumber(node.value) : node.value;
  if (typeof value === "string") return { value, text: value };
  if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "boolean") return undefined;
  return { value, text: node.source ?? text };
}

function parseLines(file: string, text: string): Source {
  if (text.trim() === "")
    throw new InvalidFileError([{ ...emptySource(file, text).positionAt(0), message: "is empty" }]);
  const lines = parseJsonLines(text);
  if ("value" in lines) return new Source(file, text, lines);
  throw new InvalidFileError([jsonProblem(file, text, lines)]);
}

/** Returns what is wrong with a text that is not JSON, and where. */
export function jsonProblem(file: string, text: string, problem: JsonProblem): Problem {
  const place = emptySource(file, text).positionAt(problem.offset);
  return { ...place, message: problem.syntax ? `this is not JSON: ${problem.message}` : problem.message };
}

function emptySource(file: string, text: string): Source {
  return new Source(file, text, { value: undefined, offsets: new OffsetTable(), block: 0, texts: new Map() });
}

function parseYaml(file: string, text: string): ParsedText {
  if (text.length > MAX_YAML_LENGTH) {
    throw new InvalidFileError([
      { file, message: "is larger than 16 MiB of YAML", hint: "write it as JSON, which is parsed faster" },
    ]);
  }
  const positions = emptySource(file, text);
  const refuse = (offset: number, message: string, hint?: string): never => {
    throw new InvalidFileError([{ ...positions.positionAt(offset), message, hint }]);
  };
  const builder = new YamlValueBuilder((offset, message) => ({ ...positions.positionAt(offset), message }));
  const problems: YamlProblem[] = [];
  for (const piece of composePieces(text)) {
    if ("tooDeep" in piece) return refuse(piece.tooDeep, `nested deeper than ${MAX_YAML_DEPTH} levels`);
    const { document, isOpen } = piece;
    for (const problem of piece.problems) problems.push(problem);
    if (problems.length === 0) builder.add(piece);
    if (isOpen) continue;
    if (problems.length > 0)
      throw createInvalidFileError(
        problems.map((problem) => ({ ...positions.positionAt(problem.pos[0]), message: formatYamlProblem(problem) })),
      );
    if (document.directives?.yaml.explicit && document.directives.yaml.version !== "1.2") {
      const hint = "remove the %YAML line; muster reads YAML 1.2";
      return refuse(0, `YAML ${document.directives.yaml.version} is not supported`, hint);
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
      return refuse(0, "is empty");
  }
  if (builder.problems.length > 0) throw createInvalidFileError(builder.problems);
  return builder.result();
}

function formatYamlProblem(problem: { code: string; message: string }): string {
  if (problem.code === "TAG_RESOLVE_FAILED")
    return `${problem.message.replace(/^Unresolved/, "unknown")}: tags are not supported`;
  if (problem.code === "NON_STRING_KEY") return "a key must be plain text";
  if (problem.code === "TAB_AS_INDENT") return "a tab cannot indent YAML: use spaces";
  return problem.message.charAt(0).toLowerCase() + problem.message.slice(1);
}
