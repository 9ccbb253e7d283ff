import { isAlias, isMap, isScalar, type Pair, type ParsedNode, type YAMLMap } from "yaml";
import { findValues, findYamlScalars, parseYamlNode } from "./yamledit.js";

/** A text that was edited, or why it was not. */
export type YamlEdit = { text: string } | { problem: string };

/**
 * Sets a key of the mapping at `path` in a YAML text to a scalar, which `value` has as YAML writes it. All other bytes stay as they are. A new
 * key comes after the last one whose value is on its line; in a flow mapping it comes last.
 */
export function setYamlKey(text: string, path: readonly string[], key: string, value: string): YamlEdit {
  const keys = [...path, key];
  const name = keys.join(".");
  const top = parseYamlNode(text);
  if ("problem" in top) return top;
  const parents = path.reduce((nodes, one) => nodes.flatMap((node) => findValues(node, one)), [top.node]);
  const [parent, ...others] = parents;
  if (isAlias(parent)) return { problem: `has the alias *${parent.source} at ${path.join(".")}` };
  if (!isMap(parent) || others.length > 0) return { problem: `has no mapping at ${path.join(".")}` };
  const map = parent as YAMLMap.Parsed;
  const edited =
    findValues(map, key).length > 0 ? replace(text, keys, name, value) : insert(text, map, `${key}: ${value}`);
  if ("problem" in edited) return edited;
  const check = findYamlScalars(edited.text, keys, name);
  const isRight = "found" in check && check.found.length === 1 && check.found[0]!.text === value;
  return isRight ? edited : { problem: `cannot be edited at ${name}` };
}

function replace(text: string, keys: string[], name: string, value: string): YamlEdit {
  const found = findYamlScalars(text, keys, name);
  if ("problem" in found) return found;
  const [{ start, end } = { start: 0, end: 0 }] = found.found;
  return { text: text.slice(0, start) + value + text.slice(end) };
}

function insert(text: string, map: YAMLMap.Parsed, line: string): YamlEdit {
  return map.flow ? insertIntoFlow(text, map, line) : insertIntoBlock(text, map, line);
}

/** Adds a pair, which `line` has on one line, to a flow mapping as its last one. */
export function insertIntoFlow(text: string, { items, range }: YAMLMap.Parsed, line: string): YamlEdit {
  const last = items.at(-1);
  if (last === undefined) return splice(text, range[0] + 1, line);
  const end = endOf(last);
  return end === undefined ? { problem: "has a key without a value" } : splice(text, end, `, ${line}`);
}

function insertIntoBlock(text: string, { items }: YAMLMap.Parsed, line: string): YamlEdit {
  const last = items.findLast((pair) => isOnOneLine(text, pair)) ?? items[0];
  const start = last?.key.range?.[0];
  if (last === undefined || start === undefined) return { problem: "has an empty mapping" };
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const indent = text.slice(lineStart, start);
  if (indent.trim() !== "") return { problem: "has a mapping that begins within a line" };
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  if (!isOnOneLine(text, last)) return splice(text, lineStart, `${indent}${line}${eol}`);
  const lineEnd = text.indexOf("\n", endOf(last)!);
  return lineEnd < 0
    ? splice(text, text.length, `${eol}${indent}${line}`)
    : splice(text, lineEnd + 1, `${indent}${line}${eol}`);
}

function isOnOneLine(text: string, pair: Pair<ParsedNode, ParsedNode | null>): boolean {
  const [start, end] = [pair.key.range?.[0], endOf(pair)];
  if (start === undefined || end === undefined) return false;
  const isBlockScalar = isScalar(pair.value) && /^BLOCK_/.test(pair.value.type ?? "");
  return !isBlockScalar && !text.slice(start, end).includes("\n");
}

/** Where the value of a pair ends; undefined where it has none. */
export function endOf({ value }: Pair<ParsedNode, ParsedNode | null>): number | undefined {
  return value === null ? undefined : value.range?.[1];
}

/** Returns the text with another one in it at this offset. */
export function splice(text: string, at: number, added: string): { text: string } {
  return { text: text.slice(0, at) + added + text.slice(at) };
}
