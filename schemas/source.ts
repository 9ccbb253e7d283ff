import type { FilePosition } from "./errors.js";
import type { EntryOffsets, OffsetTable } from "./offsettable.js";

/** The way to a value from the top of a file: keys and indexes. */
export type KeyPath = readonly (string | number)[];

/** What a reader hands over: the value, and what the plain value has lost (places, and numbers as they were written). */
export interface ParsedText {
  value: unknown;
  offsets: OffsetTable;
  /** Of the value, in `positions`. */
  block: number;
  /** Offset of a scalar -> its text, only where String(value) would say something else (0.10, True, 0x1F). */
  texts: Map<number, string>;
}

/** A value that is not the file's: what it is called in messages, and its text. */
interface ValueOverride {
  path: KeyPath;
  label: string;
  text: string;
}

/** A file that has been read: a plain value that can still say where each part of it stands. */
export class Source {
  readonly file: string;
  readonly value: unknown;
  readonly #reading: ParsedText;
  readonly #text: string;
  /** By path as JSON. */
  readonly #overrides = new Map<string, ValueOverride>();
  #lines: number[] | undefined;

  constructor(file: string, text: string, reading: ParsedText) {
    this.file = file;
    this.value = reading.value;
    this.#text = text;
    this.#reading = reading;
  }

  /** The place of the value at `path`, or of the nearest thing around it that the file has. */
  positionOf(path: KeyPath): FilePosition {
    return this.#place(path, "value");
  }

  /** The place of the key that names the value at `path`. */
  positionOfKey(path: KeyPath): FilePosition {
    return this.#place(path, "key");
  }

  /** The value at `path`; undefined where nothing is. */
  get(path: KeyPath): unknown {
    let value = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string | number, unknown>)[key];
    }
    return value;
  }

  /** A scalar as the file writes it: 0.10 stays "0.10", strings are their content. */
  text(path: KeyPath): string {
    const value = this.get(path);
    if (typeof value === "string") return value;
    const override = this.#overrideOf(path);
    if (override !== undefined) return override.path.length === path.length ? override.text : String(value);
    const entry = this.#reading.texts.size === 0 ? undefined : this.#entry(path);
    return (entry === undefined ? undefined : this.#reading.texts.get(entry.value)) ?? String(value);
  }

  /**
   * Puts `value`, written as `text`, at `path`, making the mappings on the way. Problems there are placed at `label`.
   * False when something on the way is not a mapping.
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

  /** Line and column of an offset. */
  positionAt(offset: number): FilePosition {
    this.#lines ??= findLineStarts(this.#text);
    const line = findLastAtMost(this.#lines, offset);
    return { file: this.file, line: line + 1, column: offset - this.#lines[line]! + 1 };
  }

  #place(path: KeyPath, part: "key" | "value"): FilePosition {
    const override = this.#overrideOf(path);
    if (override !== undefined) return { file: override.label };
    for (let length = path.length; length > 0; length--) {
      const entry = this.#entry(path.slice(0, length));
      if (entry !== undefined) return this.positionAt(entry[length === path.length ? part : "value"]);
    }
    return this.positionAt(this.#reading.offsets.entry(this.#reading.block, 0)?.key ?? 0);
  }

  /** What has put the value at `path`, or something around it, where it is. */
  #overrideOf(path: KeyPath): ValueOverride | undefined {
    for (let length = this.#overrides.size === 0 ? 0 : path.length; length > 0; length--) {
      const override = this.#overrides.get(JSON.stringify(path.slice(0, length)));
      if (override !== undefined) return override;
    }
    return undefined;
  }

  #entry(path: KeyPath): EntryOffsets | undefined {
    const { offsets: positions } = this.#reading;
    let { value, block } = this.#reading;
    let entry: EntryOffsets | undefined;
    for (const key of path) {
      if (typeof value !== "object" || value === null) return undefined;
      const index = Array.isArray(value) ? Number(key) : Object.keys(value).indexOf(String(key));
      entry = positions.entry(block, index);
      if (entry === undefined) return undefined;
      value = (value as Record<string | number, unknown>)[key];
      block = entry.block;
    }
    return entry;
  }
}

/** Keys that would reach into a JavaScript object's machinery. */
export function isForbiddenKey(key: string): boolean {
  return key === "__proto__" || key === "constructor" || key === "prototype";
}

/** An integer as a number while that is exact, else as a bigint. */
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
