import type { Place } from "./errors.js";

/** The way to a value from the top of a file: keys and indexes. */
export type Path = readonly (string | number)[];

/** Where the entries of one mapping or list begin, as offsets: key, offset of the key, offset of the value, and so on. */
export type Spots = (string | number)[];

/** What a reader hands over: the value, and what the plain value has lost (places, and numbers as they were written). */
export interface Reading {
  value: unknown;
  spots: Map<object, Spots>;
  /** Container -> key -> text, only where String(value) would say something else (0.10, True, 0x1F). */
  texts: Map<object, Map<string | number, string>>;
}

/** A file that has been read: a plain value that can still say where each part of it stands. */
export class Source {
  readonly file: string;
  readonly value: unknown;
  readonly #reading: Reading;
  readonly #text: string;
  readonly #overrides = new Map<string, string>();
  #lines: number[] | undefined;

  constructor(file: string, text: string, reading: Reading) {
    this.file = file;
    this.value = reading.value;
    this.#text = text;
    this.#reading = reading;
  }

  /** The place of the value at `path`, or of the nearest thing around it that the file has. */
  at(path: Path): Place {
    return this.#place(path, 2);
  }

  /** The place of the key that names the value at `path`. */
  atKey(path: Path): Place {
    return this.#place(path, 1);
  }

  /** The value at `path`; undefined where nothing is. */
  get(path: Path): unknown {
    let value = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string | number, unknown>)[key];
    }
    return value;
  }

  /** A scalar as the file writes it: 0.10 stays "0.10", strings are their content. */
  text(path: Path): string {
    const key = path.at(-1);
    const parent = this.get(path.slice(0, -1));
    const written =
      key !== undefined && typeof parent === "object" && parent !== null ? this.#reading.texts.get(parent) : undefined;
    return (key === undefined ? undefined : written?.get(key)) ?? String(this.get(path));
  }

  /**
   * Puts `value`, written as `text`, at `path`, making the mappings on the way. Problems there are placed at `label`.
   * False when something on the way is not a mapping.
   */
  override(path: Path, value: unknown, text: string, label: string): boolean {
    let parent = this.value;
    for (const [depth, key] of path.entries()) {
      if (typeof parent !== "object" || parent === null || Array.isArray(parent)) return false;
      const mapping = parent as Record<string, unknown>;
      if (depth === path.length - 1) mapping[key] = value;
      else if (!Object.hasOwn(mapping, key)) mapping[key] = {};
      if (depth === path.length - 1) remember(this.#reading.texts, parent, key, text);
      parent = mapping[key];
    }
    this.#overrides.set(JSON.stringify(path), label);
    return true;
  }

  /** Line and column of an offset. */
  position(offset: number): Place {
    this.#lines ??= lineStarts(this.#text);
    const line = lastAtMost(this.#lines, offset);
    return { file: this.file, line: line + 1, column: offset - this.#lines[line]! + 1 };
  }

  #place(path: Path, part: 1 | 2): Place {
    for (let length = path.length; length > 0; length--) {
      const label = this.#overrides.get(JSON.stringify(path.slice(0, length)));
      if (label !== undefined) return { file: label };
      const offset = this.#offset(path.slice(0, length), length === path.length ? part : 2);
      if (offset !== undefined) return this.position(offset);
    }
    const top = typeof this.value === "object" && this.value !== null ? this.#reading.spots.get(this.value) : undefined;
    return this.position(typeof top?.[1] === "number" ? top[1] : 0);
  }

  #offset(path: Path, part: 1 | 2): number | undefined {
    const parent = this.get(path.slice(0, -1));
    if (typeof parent !== "object" || parent === null) return undefined;
    const spots = this.#reading.spots.get(parent) ?? [];
    const wanted = String(path.at(-1));
    for (let i = 0; i < spots.length; i += 3) if (String(spots[i]) === wanted) return spots[i + part] as number;
    return undefined;
  }
}

/** Keeps the text of a scalar whose value alone would not give it back. */
export function remember(texts: Reading["texts"], parent: object, key: string | number, text: string): void {
  const known = texts.get(parent);
  if (known === undefined) texts.set(parent, new Map([[key, text]]));
  else known.set(key, text);
}

/** Keys that would reach into a JavaScript object's machinery. */
export function isForbiddenKey(key: string): boolean {
  return key === "__proto__" || key === "constructor" || key === "prototype";
}

/** An integer as a number while that is exact, else as a bigint. */
export function exact(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function lastAtMost(sorted: number[], wanted: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle]! <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}
