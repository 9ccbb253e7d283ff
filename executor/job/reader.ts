import type { FilePosition, Problem } from "../../schemas/errors.js";
import type { KeyPath, Source } from "../../schemas/source.js";
import { InputOverrides } from "./inputoverrides.js";

export type { KeyPath } from "../../schemas/source.js";

/** A text of a file, and where it stands. */
export interface SourceText {
  text: string;
  position: FilePosition;
}

/**
 * A file being loaded: tolerant looks into it and the problems found so far. What has the wrong type reads as absent,
 * since the schema has complained of it already; so all problems of a file come out together.
 */
export class JobReader {
  readonly problems: Problem[] = [];
  readonly source: Source;
  /** The folder that relative paths are relative to; absolute. */
  readonly folder: string;
  /** What stands in for inputs. */
  readonly inputOverrides: InputOverrides;

  constructor(source: Source, folder: string, feeds: InputOverrides = new InputOverrides()) {
    this.source = source;
    this.folder = folder;
    this.inputOverrides = feeds;
  }

  has(path: KeyPath): boolean {
    return this.source.get(path) !== undefined;
  }

  /** A scalar as the file writes it. */
  text(path: KeyPath): string | undefined {
    const value = this.source.get(path);
    if (typeof value === "string") return value;
    return isScalar(value) ? this.source.text(path) : undefined;
  }

  /** A scalar and its place. */
  sourceText(path: KeyPath): SourceText | undefined {
    const text = this.text(path);
    return text === undefined ? undefined : new LazySourceText(text, this.source, path);
  }

  /** The paths of the entries of a list. */
  items(path: KeyPath): KeyPath[] {
    const value = this.source.get(path);
    return Array.isArray(value) ? value.map((_, index) => [...path, index]) : [];
  }

  /** The scalars of a list; undefined where there is no list. */
  list(path: KeyPath): SourceText[] | undefined {
    const value = this.source.get(path);
    if (!Array.isArray(value)) return undefined;
    const list: SourceText[] = [];
    for (const [index, item] of value.entries()) {
      const text = typeof item === "string" ? item : this.text([...path, index]);
      if (text !== undefined) list.push(new LazySourceText(text, this.source, path, index));
    }
    return list;
  }

  keys(path: KeyPath): string[] {
    const value = this.source.get(path);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  }

  /** The scalars of a mapping, as written. */
  texts(path: KeyPath): Record<string, string> {
    const texts: Record<string, string> = {};
    for (const key of this.keys(path)) {
      const text = this.text([...path, key]);
      if (text !== undefined) texts[key] = text;
    }
    return texts;
  }

  /** An exact integer; undefined for anything else. */
  integer(path: KeyPath): bigint | undefined {
    const value = this.source.get(path);
    if (typeof value === "bigint") return value;
    return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
  }

  number(path: KeyPath): number | undefined {
    const value = this.source.get(path);
    return typeof value === "number" ? value : undefined;
  }

  /** Notes a problem with the value at `path`. */
  reportAt(path: KeyPath, message: string, hint?: string): void {
    this.report(this.source.positionOf(path), message, hint);
  }

  report(place: FilePosition, message: string, hint?: string): void {
    this.problems.push({ ...place, message, hint });
  }
}

export function isScalar(value: unknown): value is string | number | bigint | boolean {
  return ["string", "number", "bigint", "boolean"].includes(typeof value);
}

/** A text that stands where another does, e.g. a part of it. */
export function textInPlaceOf(other: SourceText, text: string): SourceText {
  return {
    text,
    get position() {
      return other.position;
    },
  };
}

/** Works out its place only when somebody asks: a jobs file has a hundred thousand texts and hardly ever a problem. */
class LazySourceText implements SourceText {
  readonly text: string;
  readonly #source: Source;
  readonly #path: KeyPath;
  readonly #index: number | undefined;

  /** `index`: of the text in the list at `path`; undefined where the text itself is there. */
  constructor(text: string, source: Source, path: KeyPath, index?: number) {
    this.text = text;
    this.#source = source;
    this.#path = path;
    this.#index = index;
  }

  get position(): FilePosition {
    return this.#source.positionOf(this.#index === undefined ? this.#path : [...this.#path, this.#index]);
  }
}
