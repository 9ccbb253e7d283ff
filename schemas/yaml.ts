import { readFileSync, statSync } from "node:fs";
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { InvalidFile, type Problem } from "./errors.js";
import { type JsonFault, readJson } from "./json.js";
import { exact, isForbiddenKey, type Reading, remember, Source, type Spots } from "./source.js";

const DEEPEST = 100;
const LARGEST = 64 * 1024 * 1024;
/** How many values aliases may add to a file before it counts as an attack. */
const MOST_ALIASED = 10_000;
const OPTIONS = {
  version: "1.2",
  schema: "core",
  intAsBigInt: true,
  resolveKnownTags: false,
  stringKeys: true,
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: "error",
} as const;

/** Reads a YAML or JSON file of at most 64 MiB. Throws InvalidFile with every problem of its syntax. */
export function readSource(file: string): Source {
  const fail = (message: string, hint?: string): never => {
    throw new InvalidFile([{ file, message, hint }]);
  };
  let bytes: Buffer;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) return fail("is not a file");
    if (stat.size > LARGEST) return fail(`is larger than 64 MiB (${stat.size} bytes)`, "split it into several files");
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof InvalidFile) throw error;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return fail(missing ? "there is no such file" : `cannot be read: ${(error as Error).message}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return fail("is not UTF-8 text", "save it as UTF-8");
  }
  return parseSource(file, text);
}

/** Reads text that `file` holds: strict JSON where it is that, else YAML 1.2. Throws InvalidFile. */
export function parseSource(file: string, text: string): Source {
  if (!/^\s*[[{]/.test(text)) return parseYaml(file, text);
  const json = readJson(text);
  if ("value" in json) return new Source(file, text, json);
  // Flow mappings of YAML also begin with a brace; only a file that calls itself JSON is held to JSON's syntax.
  if (!json.syntax || file.endsWith(".json")) throw new InvalidFile([jsonProblem(file, text, json)]);
  return parseYaml(file, text);
}

/** One scalar in YAML's notation, e.g. the value of `--set key=value`; undefined when it is not a scalar. */
export function parseScalar(text: string): { value: string | number | bigint | boolean; text: string } | undefined {
  const document = parseDocument(text, OPTIONS);
  const node = document.contents;
  if (document.errors.length > 0 || document.warnings.length > 0 || !isScalar(node)) return undefined;
  const value = typeof node.value === "bigint" ? exact(node.value) : node.value;
  if (typeof value === "string") return { value, text: value };
  if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "boolean") return undefined;
  return { value, text: node.source ?? text };
}

function jsonProblem(file: string, text: string, fault: JsonFault): Problem {
  const place = emptySource(file, text).position(fault.offset);
  return { ...place, message: fault.syntax ? `this is not JSON: ${fault.message}` : fault.message };
}

function emptySource(file: string, text: string): Source {
  return new Source(file, text, { value: undefined, spots: new Map(), texts: new Map() });
}

function parseYaml(file: string, text: string): Source {
  const places = emptySource(file, text);
  const refuse = (offset: number, message: string, hint?: string): never => {
    throw new InvalidFile([{ ...places.position(offset), message, hint }]);
  };
  let document: Document.Parsed;
  try {
    document = parseDocument(text, OPTIONS);
  } catch (error) {
    return refuse(
      0,
      error instanceof RangeError ? "is nested too deeply" : `cannot be read: ${(error as Error).message}`,
    );
  }
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    throw new InvalidFile(faults.map((fault) => ({ ...places.position(fault.pos[0]), message: plainMessage(fault) })));
  }
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== "1.2") {
    return refuse(
      0,
      `YAML ${document.directives.yaml.version} is not read here`,
      "remove the %YAML line; YAML 1.2 is meant",
    );
  }
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return refuse(0, "is empty");
  }
  const plain = new Plain(document, (offset, message) => ({ ...places.position(offset), message }));
  const value = plain.convert(document.contents, {}, "");
  if (plain.problems.length > 0) throw new InvalidFile(plain.problems);
  return new Source(file, text, { value, spots: plain.spots, texts: plain.texts });
}

function plainMessage(fault: { code: string; message: string }): string {
  if (fault.code === "TAG_RESOLVE_FAILED")
    return `${fault.message.replace(/^Unresolved/, "unknown")}: tags are not read here`;
  if (fault.code === "NON_STRING_KEY") return "a key must be plain text";
  if (fault.code === "MULTIPLE_DOCS") return "a second document begins here: a file holds one";
  if (fault.message.includes("call stack")) return "is nested too deeply";
  if (fault.code === "TAB_AS_INDENT") return "a tab cannot indent YAML: use spaces";
  return fault.message.charAt(0).toLowerCase() + fault.message.slice(1);
}

/** Turns the nodes of a document into plain values, and notes where they stood. */
class Plain {
  readonly problems: Problem[] = [];
  readonly spots: Reading["spots"] = new Map();
  readonly texts: Reading["texts"] = new Map();
  readonly #document: Document.Parsed;
  readonly #problem: (offset: number, message: string) => Problem;
  readonly #anchored = new Map<unknown, { value: unknown; size: number }>();
  #size = 0;
  #depth = 0;
  #aliased = 0;

  constructor(document: Document.Parsed, problem: (offset: number, message: string) => Problem) {
    this.#document = document;
    this.#problem = problem;
  }

  convert(node: ParsedNode | null, parent: object, key: string | number): unknown {
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node as Alias.Parsed, parent, key);
    const before = this.#size++;
    if (++this.#depth > DEEPEST) {
      this.#depth--;
      return this.#refuse(node.range[0], `nested deeper than ${DEEPEST} levels`);
    }
    let value: unknown;
    if (isMap(node)) value = this.#map(node as YAMLMap.Parsed);
    else if (isSeq(node)) value = this.#list(node as YAMLSeq.Parsed);
    else value = this.#scalar(node as Scalar.Parsed, parent, key);
    this.#depth--;
    if (node.anchor !== undefined) this.#anchored.set(node, { value, size: this.#size - before });
    return value;
  }

  #map(map: YAMLMap.Parsed): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const spots: Spots = [];
    this.spots.set(object, spots);
    for (const pair of map.items) {
      const start = pair.key.range[0];
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      if (typeof key !== "string") this.#refuse(start, "a key must be plain text");
      else if (isForbiddenKey(key)) this.#refuse(start, `the key "${key}" is not allowed`);
      else if (Object.hasOwn(object, key)) this.#refuse(start, `the key "${key}" is there twice`);
      else {
        spots.push(key, start, pair.value?.range[0] ?? start);
        object[key] = this.convert(pair.value, object, key);
      }
    }
    return object;
  }

  #list(list: YAMLSeq.Parsed): unknown[] {
    const array: unknown[] = [];
    const spots: Spots = [];
    this.spots.set(array, spots);
    for (const [index, item] of list.items.entries()) {
      const start = (item as ParsedNode).range[0];
      spots.push(index, start, start);
      array.push(this.convert(item as ParsedNode, array, index));
    }
    return array;
  }

  #scalar(node: Scalar.Parsed, parent: object, key: string | number): unknown {
    const value = typeof node.value === "bigint" ? exact(node.value) : node.value;
    if (typeof value !== "string" && node.source !== undefined && node.source !== String(value)) {
      remember(this.texts, parent, key, node.source);
    }
    return value;
  }

  #alias(node: Alias.Parsed, parent: object, key: string | number): unknown {
    const start = node.range[0];
    const target = node.resolve(this.#document);
    if (target === undefined) return this.#refuse(start, `nothing above is called &${node.source}`);
    const known = this.#anchored.get(target);
    if (known === undefined) return this.#refuse(start, "an alias may not stand inside what it names");
    const before = this.#aliased;
    this.#size += known.size;
    this.#aliased += known.size;
    if (this.#aliased > MOST_ALIASED) {
      const message = `aliases make this file too large (more than ${MOST_ALIASED} values)`;
      return before > MOST_ALIASED ? undefined : this.#refuse(start, message);
    }
    if (isScalar(target) && target.source !== undefined && typeof known.value !== "string") {
      remember(this.texts, parent, key, target.source);
    }
    return known.value;
  }

  #refuse(offset: number, message: string): undefined {
    if (this.problems.length < 100) this.problems.push(this.#problem(offset, message));
    return undefined;
  }
}
