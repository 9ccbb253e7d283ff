import { isWellFormed } from "../../schemas/bytetext.js";

/** `untyped`: the file has text only (a shell script, a regular expression). */
export type ScalarKind = "text" | "integer" | "float" | "boolean" | "null" | "untyped";

/** A scalar value. `text`: the content of a text, or a number or boolean as it is written. */
export interface ScalarValue {
  kind: ScalarKind;
  text: string;
}

/** A scalar in a file. `start` and `end`: the offsets of the text that a new value replaces. */
export interface FoundValue extends ScalarValue {
  start: number;
  end: number;
  /** Why some programs read another value there; such a value is never the wanted one. */
  ambiguity?: string;
}

export type FindResult = { found: FoundValue[] } | { problem: string };
export type ReplaceResult = { text: string } | { problem: string };

/** Finds and replaces a value in the text of a file. Pure; never throws, whatever the text is. */
export interface ValueEditor {
  /** Finds the value's occurrences in the order of the text (the last one counts at run time): at least one, or a problem. */
  find(text: string): FindResult;
  /** Replaces all occurrences of other values, and changes nothing else; or returns the problem that prevents it. */
  replace(text: string, value: ScalarValue): ReplaceResult;
}

/**
 * Creates an editor from two functions: one finds the value, the other formats a value for its place (undefined: it cannot be written
 * there). The result is parsed again, so that a value which would be read back differently is never written.
 */
export function createValueEditor(
  read: (text: string) => FindResult,
  spell: (value: ScalarValue, place: FoundValue, text: string) => string | undefined,
): ValueEditor {
  const write = (text: string, value: ScalarValue): ReplaceResult => {
    const before = read(text);
    if ("problem" in before) return before;
    if (!isWellFormed(value.text)) return { problem: formatCannotWrite(value) };
    let changed = text;
    for (const place of [...before.found].sort((a, b) => b.start - a.start)) {
      if (isWantedValue(value, place)) continue;
      const spelled = spell(value, place, text);
      if (spelled === undefined) return { problem: formatCannotWrite(value) };
      changed = changed.slice(0, place.start) + spelled + changed.slice(place.end);
    }
    const after = read(changed);
    const right =
      "found" in after &&
      after.found.length === before.found.length &&
      after.found.every((place) => isWantedValue(value, place));
    return right ? { text: changed } : { problem: formatCannotWrite(value) };
  };
  return { find: read, replace: write };
}

function formatCannotWrite(value: ScalarValue): string {
  return `${JSON.stringify(value.text)} cannot be written there; change it by hand`;
}

/** Whether a place has the wanted value for every program that reads it. */
export function isWantedValue(want: ScalarValue, have: FoundValue): boolean {
  return have.ambiguity === undefined && isSameScalar(want, have);
}

/** Whether two scalars are equal: integers by value (0x3e8 = 1000, exact at any size), other kinds as they are written. */
export function isSameScalar(want: ScalarValue, have: ScalarValue): boolean {
  if (have.kind === "untyped" || want.kind === "untyped") return want.text === have.text;
  if (want.kind !== have.kind) return false;
  if (want.text === have.text) return true;
  if (want.kind === "integer") return parseInteger(want.text) === parseInteger(have.text);
  if (want.kind === "float") return Number(want.text) === Number(have.text);
  return want.kind === "boolean" && want.text.toLowerCase() === have.text.toLowerCase();
}

/** Converts a value of the inventory, which writes it as `text`, to a scalar. */
export function toScalarValue(value: string | number | bigint | boolean, text: string): ScalarValue {
  if (typeof value === "string") return { kind: "text", text: value };
  if (typeof value === "boolean") return { kind: "boolean", text };
  return { kind: typeof value === "bigint" || parseInteger(text) !== undefined ? "integer" : "float", text };
}

/** Formats a number or boolean for both JSON and YAML; undefined if JSON cannot express it (.inf). */
export function formatPlainScalar(value: ScalarValue): string | undefined {
  if (value.kind === "boolean") return value.text.toLowerCase();
  if (value.kind === "integer") return parseInteger(value.text)?.toString();
  if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(value.text)) return value.text;
  const number = Number(value.text);
  return Number.isFinite(number) ? String(number) : undefined;
}

function parseInteger(text: string): bigint | undefined {
  const parts = /^([-+]?)(0x[0-9a-fA-F]+|0o[0-7]+|[0-9]+)$/.exec(text);
  if (parts === null) return undefined;
  return parts[1] === "-" ? -BigInt(parts[2]!) : BigInt(parts[2]!);
}

/** Returns the line number of an offset, counted from 1. */
export function lineNumberAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
