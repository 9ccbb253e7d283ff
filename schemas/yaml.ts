import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type ParsedNode,
  Parser,
  type Scalar,
  type YAMLMap,
  YAMLParseError,
  type YAMLSeq,
} from "yaml";
import { InvalidFile, type Problem } from "./errors.js";
import { invalid } from "./explain.js";
import { type JsonFault, readJson } from "./json.js";
import { exact, isForbiddenKey, type Reading, remember, Source, type Spots } from "./source.js";
import { readText } from "./text.js";

const DEEPEST = 100;
/** The yaml package takes 0.4 s and 80 MB for each MiB. */
const LARGEST_YAML = 16 * 1024 * 1024;
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
  return parseSource(file, readText(file));
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
  const document = compose(text);
  if (!("contents" in document)) return undefined;
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
  if (text.length > LARGEST_YAML) {
    throw new InvalidFile([
      { file, message: "is larger than 16 MiB of YAML", hint: "write it as JSON: that is read quickly" },
    ]);
  }
  const places = emptySource(file, text);
  const refuse = (offset: number, message: string, hint?: string): never => {
    throw new InvalidFile([{ ...places.position(offset), message, hint }]);
  };
  const document = compose(text);
  if (!("contents" in document)) return refuse(document.offset, `nested deeper than ${DEEPEST} levels`);
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    throw invalid(faults.map((fault) => ({ ...places.position(fault.pos[0]), message: plainMessage(fault) })));
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
  if (plain.problems.length > 0) throw invalid(plain.problems);
  return new Source(file, text, { value, spots: plain.spots, texts: plain.texts });
}

/**
 * Composes the first document of a text, and notes a second one. The package composes by recursion, and where the stack ends in
 * the middle of it the whole process dies; so nesting is counted while the tokens come.
 */
export function compose(text: string): Document.Parsed | { offset: number } {
  const parser = new Parser();
  let tooDeep: number | undefined;
  function* tokens() {
    for (const lexeme of new Lexer().lex(text)) {
      yield* parser.next(lexeme);
      // A level takes one or two places of the stack.
      if (parser.stack.length > 2 * DEEPEST + 10) {
        tooDeep = parser.offset;
        return;
      }
    }
    yield* parser.end();
  }
  const documents = [...new Composer(OPTIONS).compose(tokens(), true, text.length)];
  if (tooDeep !== undefined) return { offset: tooDeep };
  const [first, second] = documents as [Document.Parsed, Document.Parsed | undefined];
  if (second !== undefined) {
    const message = "a second document begins here: a file holds one";
    first.errors.push(new YAMLParseError([second.range[0], second.range[1]], "MULTIPLE_DOCS", message));
  }
  return first;
}

function plainMessage(fault: { code: string; message: string }): string {
  if (fault.code === "TAG_RESOLVE_FAILED")
    return `${fault.message.replace(/^Unresolved/, "unknown")}: tags are not read here`;
  if (fault.code === "NON_STRING_KEY") return "a key must be plain text";
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
    this.problems.push(this.#problem(offset, message));
    return undefined;
  }
}
