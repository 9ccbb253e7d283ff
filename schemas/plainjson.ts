import { formatJson } from "./escape.js";
import { isForbiddenKey, type KeyPath } from "./source.js";

/** No parser of muster takes more, and each level is one of the stack. */
const MAX_DEPTH = 500;

/** A value that cannot be JSON: where it is, and what is wrong, as a predicate. */
export interface PlainJsonProblem {
  path: KeyPath;
  message: string;
}

/** The text of a plain value, or why there is none. */
export type PlainJson = { ok: true; text: string } | { ok: false; problems: PlainJsonProblem[] };

/**
 * Formats a value as JSON on one line. Unlike JSON.stringify it writes a bigint with all its digits, and reports what JSON would lose: functions,
 * NaN, instances of classes, values in themselves. Keys whose value is undefined are left out.
 */
export function formatPlainJson(value: unknown): PlainJson {
  const problems: PlainJsonProblem[] = [];
  const text = new PlainJsonFormatter(problems).format(value, []);
  return problems.length === 0 ? { ok: true, text } : { ok: false, problems };
}

class PlainJsonFormatter {
  private readonly open = new Set<object>();

  constructor(private readonly problems: PlainJsonProblem[]) {}

  format(value: unknown, path: KeyPath): string {
    switch (typeof value) {
      case "string":
      case "boolean":
        return formatJson(value);
      case "bigint":
        return `${value}`;
      case "number":
        return Number.isFinite(value)
          ? JSON.stringify(value)
          : this.refuse(path, `must be a finite number, not ${value}`);
      case "object":
        return value === null ? "null" : this.formatObject(value, path);
      default:
        return this.refuse(
          path,
          `must be plain data, not ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}`,
        );
    }
  }

  private formatObject(value: object, path: KeyPath): string {
    if (this.open.has(value)) return this.refuse(path, "must not contain itself");
    if (path.length >= MAX_DEPTH) return this.refuse(path, `is nested deeper than ${MAX_DEPTH} levels`);
    this.open.add(value);
    const text = Array.isArray(value) ? this.formatArray(value, path) : this.formatMapping(value, path);
    this.open.delete(value);
    return text;
  }

  private formatArray(items: readonly unknown[], path: KeyPath): string {
    // Array.from also visits holes.
    return `[${Array.from(items, (item, index) => this.format(item, [...path, index])).join(",")}]`;
  }

  private formatMapping(value: object, path: KeyPath): string {
    const prototype = Object.getPrototypeOf(value) as object | null;
    // A plain object of another realm has a prototype of its own, without one above it.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      return this.refuse(path, `must be plain data, not an object of class ${value.constructor?.name || "?"}`);
    const pairs = Object.entries(value).flatMap(([key, item]) => {
      if (isForbiddenKey(key)) this.refuse([...path, key], `the key "${key}" is not allowed`);
      return item === undefined ? [] : [`${formatJson(key)}:${this.format(item, [...path, key])}`];
    });
    return `{${pairs.join(",")}}`;
  }

  private refuse(path: KeyPath, message: string): string {
    this.problems.push({ path, message });
    return "null";
  }
}
