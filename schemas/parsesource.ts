import { isScalar } from "yaml";
import { InvalidFileError, type Problem } from "./errors.js";
import { type JsonProblem, parseJson, parseJsonLines } from "./jsonparser.js";
import { OffsetTable } from "./offsettable.js";
import { Source, toExactNumber } from "./source.js";
import { readTextFile } from "./textfile.js";
import { createInvalidFileError } from "./violations.js";
import { compose, composePieces, MAX_YAML_DEPTH, type YamlProblem } from "./yamlpieces.js";
import { YamlValueBuilder } from "./yamlvalue.js";

/** The yaml package takes a second for each MiB. */
const MAX_YAML_LENGTH = 16 * 1024 * 1024;

/** Reads a YAML or JSON file, or JSON lines, of at most 64 MiB. Throws InvalidFile with every problem of its syntax. */
export function readSource(file: string): Source {
  return parseSource(file, readTextFile(file));
}

/** Reads text that `file` holds: JSON lines by its name, strict JSON where it is that, else YAML 1.2. Throws InvalidFile. */
export function parseSource(file: string, text: string): Source {
  if (/\.(ndjson|jsonl)$/.test(file)) return parseLines(file, text);
  if (!/^\s*[[{]/.test(text)) return parseYaml(file, text);
  const json = parseJson(text);
  if ("value" in json) return new Source(file, text, json);
  // Flow mappings of YAML also begin with a brace; only a file that calls itself JSON is held to JSON's syntax.
  if (!json.syntax || file.endsWith(".json")) throw new InvalidFileError([jsonProblem(file, text, json)]);
  return parseYaml(file, text);
}

/** One scalar in YAML's notation, e.g. the value of `--set key=value`; undefined when it is not a scalar. */
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

function jsonProblem(file: string, text: string, fault: JsonProblem): Problem {
  const place = emptySource(file, text).positionAt(fault.offset);
  return { ...place, message: fault.syntax ? `this is not JSON: ${fault.message}` : fault.message };
}

function emptySource(file: string, text: string): Source {
  return new Source(file, text, { value: undefined, offsets: new OffsetTable(), block: 0, texts: new Map() });
}

function parseYaml(file: string, text: string): Source {
  if (text.length > MAX_YAML_LENGTH) {
    throw new InvalidFileError([
      { file, message: "is larger than 16 MiB of YAML", hint: "write it as JSON: that is read quickly" },
    ]);
  }
  const places = emptySource(file, text);
  const refuse = (offset: number, message: string, hint?: string): never => {
    throw new InvalidFileError([{ ...places.positionAt(offset), message, hint }]);
  };
  const plain = new YamlValueBuilder((offset, message) => ({ ...places.positionAt(offset), message }));
  const faults: YamlProblem[] = [];
  for (const piece of composePieces(text)) {
    if ("tooDeep" in piece) return refuse(piece.tooDeep, `nested deeper than ${MAX_YAML_DEPTH} levels`);
    const { document, isOpen } = piece;
    for (const fault of piece.problems) faults.push(fault);
    if (faults.length === 0) plain.add(piece);
    if (isOpen) continue;
    if (faults.length > 0)
      throw createInvalidFileError(
        faults.map((fault) => ({ ...places.positionAt(fault.pos[0]), message: formatYamlProblem(fault) })),
      );
    if (document.directives?.yaml.explicit && document.directives.yaml.version !== "1.2") {
      const hint = "remove the %YAML line; YAML 1.2 is meant";
      return refuse(0, `YAML ${document.directives.yaml.version} is not read here`, hint);
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
      return refuse(0, "is empty");
  }
  if (plain.problems.length > 0) throw createInvalidFileError(plain.problems);
  return new Source(file, text, plain.reading());
}

function formatYamlProblem(fault: { code: string; message: string }): string {
  if (fault.code === "TAG_RESOLVE_FAILED")
    return `${fault.message.replace(/^Unresolved/, "unknown")}: tags are not read here`;
  if (fault.code === "NON_STRING_KEY") return "a key must be plain text";
  if (fault.code === "TAB_AS_INDENT") return "a tab cannot indent YAML: use spaces";
  return fault.message.charAt(0).toLowerCase() + fault.message.slice(1);
}
