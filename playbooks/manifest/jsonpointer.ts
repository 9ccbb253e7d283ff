import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import {
  createValueEditor,
  type FindResult,
  type FoundValue,
  formatPlainScalar,
  lineNumberAt,
  type ScalarValue,
  type ValueEditor,
} from "./valueeditor.js";

const MAX_MANIFEST_DEPTH = 100;

/** Returns an editor for the value at a JSON pointer. Accepts comments and trailing commas; keeps the formatting. */
export function createJsonEditor(pointer: string): ValueEditor {
  const keys = parseJsonPointer(pointer);
  return createValueEditor((text) => findJsonValues(text, keys, pointer), formatJsonScalar);
}

/** Parses a JSON pointer (RFC 6901) into its keys. */
export function parseJsonPointer(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function findJsonValues(text: string, keys: string[], pointer: string): FindResult {
  const errors: ParseError[] = [];
  // A byte order mark is not valid JSON; a space in its place keeps the offsets.
  const plain = replaceConstants(text.replace(/^\uFEFF/, " "));
  if (isDeep(plain)) return { problem: "is nested too deeply" };
  const tree = parseTree(plain, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined || tree === undefined) {
    const what = error === undefined ? "it is empty" : printParseErrorCode(error.error);
    return { problem: `is not JSON: ${what} in line ${lineNumberAt(text, error?.offset ?? 0)}` };
  }
  const nodes = keys.reduce<Node[]>((parents, key) => parents.flatMap((parent) => findChildren(parent, key)), [tree]);
  if (nodes.length === 0) return { problem: `has nothing at ${pointer}` };
  const found = nodes.map((node) => toFoundValue(node, text));
  if (found.includes(undefined)) return { problem: `has a list or an object at ${pointer}, not a value` };
  return { found: found as FoundValue[] };
}

/** The numbers that Python and others write although JSON has none of them, and numbers of the same length. */
const CONSTANTS: Readonly<Record<string, string>> = { NaN: "0.0", Infinity: "0.000000" };

/** Replaces NaN, Infinity and -Infinity outside texts and comments by numbers of the same length, so that the offsets stay. */
function replaceConstants(text: string): string {
  const scanner = createScanner(text, true);
  const parts: string[] = [];
  let end = 0;
  for (scanner.scan(); scanner.getTokenLength() > 0; scanner.scan()) {
    const [at, length] = [scanner.getTokenOffset(), scanner.getTokenLength()];
    const word = text.slice(at, at + length);
    if (!Object.hasOwn(CONSTANTS, word)) continue;
    parts.push(text.slice(end, at), CONSTANTS[word]!);
    end = at + length;
  }
  return parts.length === 0 ? text : parts.join("") + text.slice(end);
}

/** Whether the nesting is too deep. The parser recurses, so untrusted text is checked first, without recursion. */
function isDeep(text: string): boolean {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (scanner.scan(); scanner.getTokenLength() > 0; scanner.scan()) {
    const sign = scanner.getTokenLength() === 1 ? text[scanner.getTokenOffset()] : "";
    if (sign === "{" || sign === "[") depth++;
    if (sign === "}" || sign === "]") depth--;
    if (depth > MAX_MANIFEST_DEPTH) return true;
  }
  return false;
}

/** Finds all values of a key: it may occur twice, and then parsers use the last one. */
function findChildren(parent: Node, key: string): Node[] {
  if (parent.type === "array") return /^(0|[1-9]\d*)$/.test(key) ? (parent.children ?? []).slice(+key, +key + 1) : [];
  if (parent.type !== "object") return [];
  const ours = (parent.children ?? []).filter((property) => property.children?.[0]?.value === key);
  return ours.flatMap((property) => property.children?.slice(1) ?? []);
}

function toFoundValue(node: Node, text: string): FoundValue | undefined {
  const place = { start: node.offset, end: node.offset + node.length };
  const written = text.slice(place.start, place.end);
  if (node.type === "string") return { kind: "text", text: String(node.value), ...place };
  if (node.type === "boolean" || node.type === "null") return { kind: node.type, text: written, ...place };
  if (node.type !== "number") return undefined;
  return { kind: /^-?\d+$/.test(written) ? "integer" : "float", text: written, ...place };
}

function formatJsonScalar(value: ScalarValue): string | undefined {
  return value.kind === "text" ? JSON.stringify(value.text) : formatPlainScalar(value);
}
