import { dirname, resolve } from "node:path";
import type { FilePosition } from "./errors.js";
import type { EntryOffsets, OffsetTable } from "./offsettable.js";

/** The path from the top of a file to a value: keys and indexes. */
export type KeyPath = readonly (string | number)[];

/** The result of a parser: the plain value, and what it lacks: positions, and numbers as they are written. */
export interface ParsedText {
  value: unknown;
  offsets: OffsetTable;
  /** The block of the value, in `offsets`. */
  block: number;
  /** Offset of a scalar -> its text, only if String(value) differs from it (0.10, True, 0x1F). */
  texts: Map<number, string>;
}

/** A value that does not come from the file: its label in messages, and its text. */
interface ValueOverride {
  path: KeyPath;
  label: string;
  text: string;
}

/** A parsed file: a plain value, and the position of each of its parts. */
export class Source {
  readonly file: string;
  readonly value: unknown;
  /** The text that was parsed. */
  readonly content: string;
  readonly #parsed: ParsedText;
  /** By the path as JSON. */
  readonly #overrides = new Map<string, ValueOverride>();
  #lines: number[] | undefined;

  constructor(file: string, text: string, parsed: ParsedText) {
    this.file = file;
    this.value = parsed.value;
    this.content = text;
    this.#parsed = parsed;
  }

  /** The absolute path of the file; undefined where it is none. */
  get path(): string | undefined {
    return resolve(this.file);
  }

  /** The folder that relative paths start from, absolute. */
  get folder(): string {
    return dirname(resolve(this.file));
  }

  /** Returns the position of the value at `path`, or of the innermost value around it that the file has. */
  positionOf(path: KeyPath): FilePosition {
    return this.#locate(path, "value");
  }

  /** Returns the position of the key of the value at `path`. */
  positionOfKey(path: KeyPath): FilePosition {
    return this.#locate(path, "key");
  }

  /** Returns the value at `path`; undefined if there is none. */
  get(path: KeyPath): unknown {
    let value = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string | number, unknown>)[key];
    }
    return value;
  }

  /** Returns the text of a scalar as the file writes it: 0.10 stays "0.10"; the text of a string is its content. */
  text(path: KeyPath): string {
    const value = this.get(path);
    if (typeof value === "string") return value;
    const override = this.#findOverride(path);
    if (override !== undefined) return override.path.length === path.length ? override.text : String(value);
    const entry = this.#parsed.texts.size === 0 ? undefined : this.#findEntry(path);
    return (entry === undefined ? undefined : this.#parsed.texts.get(entry.value)) ?? String(value);
  }

  /**
   * Sets the value at `path` to `value`, written as `text`, and creates missing mappings. Problems in it get the position `label`.
   * Returns false if something on the path is not a mapping.
   */
  override(path: KeyPath, value: unknown, text: string, label: string): boolean {
    let parent = this.value;
    for (const [depth, key] of path.entries()) {
      if (typeof parent !== "object" || parent === null || Array.isArray(parent)) return false;
      const mapping = parent as Record<string, unknown>;
      if (depth === path.length - 1) mapping[key] = value;
      else if (!Object.hasOwn(mapping, key)) mapping[key] = {};
      parent = mapping[key];
    }
    this.#overrides.set(JSON.stringify(path), { path, label, text });
    return true;
  }

  /** Returns the line and column of an offset. */
  positionAt(offset: number): FilePosition {
    this.#lines ??= findLineStarts(this.content);
    const line = findLastAtMost(this.#lines, offset);
    return { file: this.file, line: line + 1, column: offset - this.#lines[line]! + 1 };
  }

  #locate(path: KeyPath, part: "key" | "value"): FilePosition {
    const override = this.#findOverride(path);
    return override === undefined ? this.locateParsed(path, part) : { file: override.label };
  }

  /** Returns the position of a value of the text, or of its key. */
  protected locateParsed(path: KeyPath, part: "key" | "value"): FilePosition {
    for (let length = path.length; length > 0; length--) {
      const entry = this.#findEntry(path.slice(0, length));
      if (entry !== undefined) return this.positionAt(entry[length === path.length ? part : "value"]);
    }
    return this.positionAt(this.#parsed.offsets.entry(this.#parsed.block, 0)?.key ?? 0);
  }

  /** The override of the value at `path`, or of a value around it. */
  #findOverride(path: KeyPath): ValueOverride | undefined {
    for (let length = this.#overrides.size === 0 ? 0 : path.length; length > 0; length--) {
      const override = this.#overrides.get(JSON.stringify(path.slice(0, length)));
      if (override !== undefined) return override;
    }
    return undefined;
  }

  #findEntry(path: KeyPath): EntryOffsets | undefined {
    const { offsets } = this.#parsed;
    let { value, block } = this.#parsed;
    let entry: EntryOffsets | undefined;
    for (const key of path) {
      if (typeof value !== "object" || value === null) return undefined;
      const index = Array.isArray(value) ? Number(key) : Object.keys(value).indexOf(String(key));
      entry = offsets.entry(block, index);
      if (entry === undefined) return undefined;
      value = (value as Record<string | number, unknown>)[key];
      block = entry.block;
    }
    return entry;
  }
}

/** Whether a key would reach the prototype of a JavaScript object. */
export function isForbiddenKey(key: string): boolean {
  return key === "__proto__" || key === "constructor" || key === "prototype";
}

/** Converts an integer to a number if that is exact, else returns the bigint. */
export function toExactNumber(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function findLastAtMost(sorted: number[], wanted: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle]! <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}
