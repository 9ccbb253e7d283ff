import { isDeepStrictEqual } from "node:util";
import { isMap, type ParsedNode, type YAMLMap } from "yaml";
import { isJsonObject } from "./isjsonobject.js";
import { parseSource } from "./parsesource.js";
import { findValues, parseYamlNode } from "./yamledit.js";
import { endOf, insertIntoFlow, splice, type YamlEdit } from "./yamlinsert.js";

/** A new pair of a mapping, as both styles of mapping write it. */
export interface YamlPairText {
  key: string;
  /** On one line, with the key: `rig1: {host: 10.0.0.4}`. */
  flow: string;
  /** Lines without the indentation of the key; they may hold comments. */
  block: readonly string[];
}

/**
 * Adds a pair to the mapping at `path` of a YAML text, as its last one. All other bytes stay as they are; a comment that is indented deeper
 * than the keys stays with the pair before it.
 */
export function appendYamlPair(text: string, path: readonly string[], pair: YamlPairText): YamlEdit {
  const top = parseYamlNode(text);
  if ("problem" in top) return top;
  const name = path.length === 0 ? "the top" : path.join(".");
  const start: (ParsedNode | null)[] = [top.node];
  const [parent, ...others] = path.reduce((nodes, key) => nodes.flatMap((node) => findValues(node, key)), start);
  if (parent === undefined || !isMap(parent) || others.length > 0) return { problem: `has no mapping at ${name}` };
  if (findValues(parent, pair.key).length > 0) return { problem: `has ${pair.key} at ${name} already` };
  const map = parent as YAMLMap.Parsed;
  const edited = map.flow ? insertIntoFlow(text, map, pair.flow) : insertAtEnd(text, map, pair.block);
  if ("problem" in edited) return edited;
  return keepsTheRest(text, edited.text, path, pair.key) ? edited : { problem: `cannot be edited at ${name}` };
}

function insertAtEnd(text: string, { items }: YAMLMap.Parsed, block: readonly string[]): YamlEdit {
  const last = items.at(-1);
  const start = last?.key.range?.[0];
  if (last === undefined || start === undefined) return { problem: "has an empty mapping" };
  const indent = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
  if (indent.trim() !== "") return { problem: "has a mapping that begins within a line" };
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = block.map((line) => `${indent}${line}`);
  const valueEnd = text.slice(0, endOf(last) ?? last.key.range![1]).trimEnd().length;
  let at = findLineEnd(text, valueEnd);
  for (let next = at; next > 0 && next < text.length; next = findLineEnd(text, next)) {
    const line = text.slice(next, findLineEnd(text, next));
    if (!/^[ \t]+#/.test(line) || line.search(/\S/) <= indent.length) break;
    at = findLineEnd(text, next);
  }
  const isLastLineOpen = !text.slice(0, at).endsWith("\n");
  return splice(text, at, isLastLineOpen ? `${eol}${lines.join(eol)}` : `${lines.join(eol)}${eol}`);
}

/** Where the line after the one at `offset` begins, or the end of the text. */
function findLineEnd(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}

/** Whether an edited text means the same as before, but for the new key. */
function keepsTheRest(before: string, after: string, path: readonly string[], key: string): boolean {
  const [old, edited] = [before, after].map((text) => parseSource("text.yaml", text).value);
  const parent = path.reduce<unknown>((value, one) => (isJsonObject(value) ? value[one] : undefined), edited);
  if (!isJsonObject(parent) || !Object.hasOwn(parent, key)) return false;
  delete parent[key];
  return isDeepStrictEqual(edited, old);
}
