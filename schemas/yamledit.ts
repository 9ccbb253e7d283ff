import { isAlias, isMap, isScalar, isSeq, type ParsedNode } from "yaml";
import { compose } from "./yamlpieces.js";
import { explainYaml11, isTextToAllReaders, quoteYamlText, type YamlKind } from "./yamlversions.js";

/** A scalar of a YAML text, and its offsets including the quotes. */
export interface YamlScalar {
  kind: YamlKind;
  text: string;
  start: number;
  end: number;
  /** Why other programs read another value ("YAML 1.1 readers take it for a boolean"). */
  ambiguity?: string;
}

/** Tags that a found scalar may have: those that do not change what its text means. */
const KNOWN_TAGS = ["str", "int", "bool", "null"].map((name) => `tag:yaml.org,2002:${name}`);
/** Problems that make nothing of a file unreadable: tags of other programs, and keys that are lists or mappings. */
const HARMLESS_PROBLEMS: readonly string[] = ["TAG_RESOLVE_FAILED", "NON_STRING_KEY"];

/** Finds the scalars at `keys` in a YAML text, or returns the problem. `path`: the name of `keys` in messages. */
export function findYamlScalars(
  text: string,
  keys: string[],
  path: string,
): { found: YamlScalar[] } | { problem: string } {
  const top = parseYamlNode(text);
  if ("problem" in top) return top;
  const start: (ParsedNode | null)[] = [top.node];
  const nodes = keys.reduce((parents, key) => parents.flatMap((parent) => findValues(parent, key)), start);
  if (nodes.length === 0) return { problem: `has nothing at ${path}` };
  const found: YamlScalar[] = [];
  for (const node of nodes) {
    const converted = toYamlScalar(node, text, path);
    if ("problem" in converted) return converted;
    found.push(converted.scalar);
  }
  return { found };
}

/** Returns the scalar, or a message that says what the node is instead. */
function toYamlScalar(
  node: ParsedNode | null,
  text: string,
  path: string,
): { scalar: YamlScalar } | { problem: string } {
  if (isAlias(node)) return { problem: `has the alias *${node.source} at ${path}; name the place of &${node.source}` };
  if (node !== null && !isScalar(node)) return { problem: `has a list or a mapping at ${path}, not a value` };
  if (node === null || node.range[0] === node.range[1]) return { problem: `has no value at ${path}` };
  if (node.tag !== undefined && !KNOWN_TAGS.includes(node.tag))
    return { problem: `has the tag ${node.tag} at ${path}; change its value by hand` };
  const [start, end] = node.range;
  const source = node.source ?? text.slice(start, end);
  const kind = kindOf(node.value);
  const isPlain = node.type === "PLAIN" && node.tag === undefined;
  const ambiguity = isPlain ? explainYaml11(source, kind) : undefined;
  return { scalar: { kind, text: kind === "text" ? String(node.value) : source, start, end, ambiguity } };
}

function kindOf(value: unknown): YamlKind {
  switch (typeof value) {
    case "string":
      return "text";
    case "bigint":
      return "integer";
    case "number":
      return "float";
    default:
      return typeof value === "boolean" ? "boolean" : "null";
  }
}

/**
 * Formats a text in the style of `old`, the scalar as it is written now. A plain scalar gets quotes if it needs them, also for readers of
 * YAML 1.1 (`on`, `012`, `1:30`).
 */
export function formatYamlScalar(text: string, old: string): string {
  const isPrintable = /^[\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*$/.test(text);
  if (old.startsWith("'") && isPrintable) return `'${text.replaceAll("'", "''")}'`;
  if (/^[|>]/.test(old)) return `${quoteYamlText(text)}\n`;
  const isPlain = /^[\w./+@% -]*$/.test(text) && !text.endsWith(" ") && isTextToAllReaders(text) && isText(text);
  return isPlain && !old.startsWith('"') ? text : quoteYamlText(text);
}

function isText(text: string): boolean {
  const top = parseYamlNode(text);
  return "node" in top && isScalar(top.node) && top.node.value === text;
}

/** Parses a YAML text, or returns why nothing of it can be read. */
export function parseYamlNode(text: string): { node: ParsedNode | null } | { problem: string } {
  const composed = compose(text);
  if ("tooDeep" in composed) return { problem: "is nested too deeply" };
  const problem = composed.problems.find(({ code }) => !HARMLESS_PROBLEMS.includes(code));
  if (problem === undefined) return { node: composed.document.contents };
  const line = text.slice(0, problem.pos[0]).split("\n").length;
  return { problem: `cannot be parsed as YAML: ${problem.message.split("\n")[0]} (line ${line})` };
}

/** Finds all values of a key: it may occur twice, and then most parsers use the last one. */
export function findValues(node: ParsedNode | null, key: string): (ParsedNode | null)[] {
  if (isSeq(node)) {
    const item = /^(0|[1-9]\d*)$/.test(key) ? (node.items[Number(key)] as ParsedNode | undefined) : undefined;
    return item === undefined ? [] : [item];
  }
  const pairs = isMap(node) ? node.items.filter(({ key: one }) => isScalar(one) && String(one.value) === key) : [];
  return pairs.map((pair) => (pair.value ?? null) as ParsedNode | null);
}
