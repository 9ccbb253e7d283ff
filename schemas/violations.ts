import { InvalidFileError, type Problem } from "./errors.js";
import { parseQuantity } from "./quantity.js";
import type { KeyPath, Source } from "./source.js";
import { findNearest, suggest } from "./suggest.js";

/** One violation that a validator reports; ajv's error objects have this shape. */
export interface Violation {
  keyword: string;
  instancePath: string;
  // biome-ignore lint/suspicious/noExplicitAny: each keyword has parameters of its own
  params: Record<string, any>;
  message?: string;
  schema?: unknown;
  parentSchema?: Record<string, unknown>;
  propertyName?: string;
  data?: unknown;
}

const MAX_PROBLEMS = 100;

/** Creates the error for a file with these problems: in file order, at most MAX_PROBLEMS of them. */
export function createInvalidFileError(problems: Problem[]): InvalidFileError {
  const ordered = sortProblems(problems);
  const rest = ordered.length - MAX_PROBLEMS;
  if (rest <= 0) return new InvalidFileError(ordered);
  const more: Problem = { file: ordered[0]!.file, message: `and ${rest} more` };
  return new InvalidFileError([...ordered.slice(0, MAX_PROBLEMS), more]);
}

/** Sorts problems by position and removes duplicates. */
export function sortProblems(problems: Problem[]): Problem[] {
  const unique = new Map(problems.map((p) => [`${p.file}:${p.line}:${p.column}:${p.pointer}:${p.message}`, p]));
  const byPlace = (a: Problem, b: Problem) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
  return [...unique.values()].sort(byPlace);
}

/** Formats a value for a message, so that a user recognizes it in the file; at most 60 characters. */
function formatValue(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "a mapping";
  const text = typeof value === "string" ? JSON.stringify(value) : value === null ? "nothing" : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Converts a violation to a problem that a user understands, with its position. */
export function explainViolation(error: Violation, source: Source): Problem {
  const path = parsePointer(error.instancePath);
  switch (error.keyword) {
    case "additionalProperties":
      return explainUnknownKey(error, source, path);
    case "false schema":
      return explainForeignKey(source, path);
    case "uniqueItems":
      return explainDuplicateItem(error, source, path);
    case "pattern":
    case "maxLength":
      if (error.propertyName !== undefined) return explainKeyName(error, source, path, error.propertyName);
  }
  const { message, hint } = explainValue(error);
  return { ...source.positionOf(path), message: `${formatPath(path)} ${message}`, hint };
}

/** Returns what is wrong with a value, as the predicate of a sentence whose subject is its key. */
function explainValue(error: Violation): { message: string; hint?: string } {
  const given = `, not ${formatValue(error.data)}`;
  switch (error.keyword) {
    case "required":
      return { message: `has no key "${error.params.missingProperty}"`, hint: describeKey(error) };
    case "pattern":
    case "maxLength":
      return { message: `${errorMessage(error) ?? `must match ${error.params.pattern}`}${given}` };
    case "enum": {
      const allowed = error.params.allowedValues as string[];
      return { message: `must be ${allowed.join(" | ")}${given}`, hint: suggestValue(error.data, allowed) };
    }
    case "type":
      return {
        message: `${describePattern(error) ?? `must be ${formatTypes(error.params.type)}`}${given}`,
        hint: adviseOnList(error) ?? adviseOnQuotes(error.data),
      };
    case "scalar":
      return { message: `must be text, a number, true or false${given}`, hint: adviseOnQuotes(error.data) };
    case "whole": {
      const { minimum } = error.schema as { minimum: number };
      return { message: `must be a whole number of at least ${minimum}${given}`, hint: adviseOnRounding(error.data) };
    }
    case "quantity": {
      const parsed = parseQuantity(error.schema, error.data);
      return { message: `${parsed.ok ? "" : parsed.message}${given}` };
    }
    case "minItems":
    case "maxItems":
    case "minProperties":
      return { message: `must have ${formatCountLimit(error)}` };
    case "minLength":
      return { message: "must not be empty" };
    default:
      return { message: `${error.message}${given}` };
  }
}

function explainForeignKey(source: Source, path: KeyPath): Problem {
  return {
    ...source.positionOfKey(path),
    message: `"${path.at(-1)}" does not belong to kind: ${source.get(["kind"])}`,
    hint: "remove it, or change kind",
  };
}

function explainDuplicateItem(error: Violation, source: Source, path: KeyPath): Problem {
  const item = [...path, error.params.i];
  const message = `${formatPath(path)} names ${formatValue(source.get(item))} twice`;
  return { ...source.positionOf(item), message };
}

function explainKeyName(error: Violation, source: Source, path: KeyPath, key: string): Problem {
  return { ...source.positionOfKey([...path, key]), message: `"${key}" ${errorMessage(error)}` };
}

function explainUnknownKey(error: Violation, source: Source, path: KeyPath): Problem {
  const key = String(error.params.additionalProperty);
  const known = Object.keys((error.parentSchema?.properties ?? {}) as object);
  const where = path.length === 0 ? "" : ` in ${formatPath(path)}`;
  const free = known.filter((candidate) => source.get([...path, candidate]) === undefined);
  const hint = findNearest(key, free) === undefined ? errorMessage(error) : undefined;
  const message = `unknown key "${key}"${where}`;
  return { ...source.positionOfKey([...path, key]), message, hint: hint ?? suggestKey(key, known, free) };
}

/** `free`: the known keys that the mapping does not have yet. A misspelt key may be there a second time, as it should be. */
function suggestKey(key: string, known: readonly string[], free: readonly string[]): string | undefined {
  const nearest = findNearest(key, free) === undefined ? findNearest(key, known) : undefined;
  return nearest === undefined ? suggest(key, free) : `did you mean "${nearest}"? It is there already`;
}

function parsePointer(text: string): string[] {
  return text
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Formats a path for messages: tasks[3].args[0]. */
function formatPath(path: KeyPath): string {
  if (path.length === 0) return "the file";
  const parts = path.map((part) => (/^\d+$/.test(String(part)) ? `[${part}]` : `.${part}`));
  return parts.join("").replace(/^\./, "");
}

function errorMessage(error: Violation): string | undefined {
  return (error.parentSchema as { errorMessage?: string } | undefined)?.errorMessage;
}

/** Returns what a text must look like, where its schema has a pattern: that says more than "text" to somebody who wrote a number. */
function describePattern(error: Violation): string | undefined {
  return error.parentSchema?.pattern === undefined ? undefined : errorMessage(error);
}

function describeKey(error: Violation): string | undefined {
  const properties = error.parentSchema?.properties as Record<string, { description?: string }> | undefined;
  return properties?.[error.params.missingProperty as string]?.description;
}

function suggestValue(value: unknown, allowed: string[]): string | undefined {
  const hint = typeof value === "string" ? suggest(value, allowed) : undefined;
  return hint?.startsWith("did you mean") ? hint : undefined;
}

function formatTypes(type: string | string[]): string {
  const words: Record<string, string> = {
    string: "text",
    integer: "a whole number",
    number: "a number",
    array: "a list",
    object: "a mapping",
    null: "nothing",
    boolean: "true or false",
  };
  return (Array.isArray(type) ? type : type.split(",")).map((one) => words[one] ?? one).join(" or ");
}

/** Returns how to write a text as the list that is wanted: a command line as its words. */
function adviseOnList({ params, data, parentSchema }: Violation): string | undefined {
  const items = parentSchema?.items as { scalar?: boolean; type?: string | string[] } | undefined;
  const takesText = items?.scalar === true || [items?.type].flat().includes("string");
  if (params.type !== "array" || !takesText || typeof data !== "string") return undefined;
  const words = data.split(/\s+/).filter((word) => word !== "");
  const isPlain = words.length > 0 && words.every((word) => /^[\w./-]+$/.test(word));
  return isPlain ? `write [${words.join(", ")}]` : undefined;
}

/** Returns how to write a placeholder that YAML took for a mapping: `{start}` without quotes is one. */
function adviseOnQuotes(data: unknown): string | undefined {
  const entries = Object.entries(typeof data === "object" && data !== null ? data : {});
  const [key, value] = entries[0] ?? [];
  return entries.length === 1 && value === null ? `write "{${key}}", with quotes, if it is a placeholder` : undefined;
}

function adviseOnRounding(value: unknown): string | undefined {
  const isRounded = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isRounded ? "write all its digits: this notation is not exact" : undefined;
}

/** Whether a value is an integer that has not been rounded. */
export function isExactInteger(value: unknown): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value));
}

function formatCountLimit({ keyword, params }: Violation): string {
  const { limit } = params;
  return `${keyword === "maxItems" ? "at most" : "at least"} ${limit} ${limit === 1 ? "entry" : "entries"}`;
}
