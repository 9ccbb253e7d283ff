import type { FilePosition, Problem } from "../../schemas/errors.js";
import type { KeyPath, Source } from "../../schemas/source.js";
import { InputOverrides } from "./inputoverrides.js";

export type { KeyPath } from "../../schemas/source.js";

/** A text of a file and its position. */
export interface SourceText {
  text: string;
  position: FilePosition;
}

/**
 * A file that is being loaded, and the problems found so far. A value of the wrong type reads as undefined, because the
 * schema check has reported it; so all problems of a file are reported together.
 */
export class JobReader {
  readonly problems: Problem[] = [];
  readonly #notes = new Map<string, string>();
  readonly source: Source;
  /** The folder of relative paths; absolute. */
  readonly folder: string;
  /** Replacements for inputs. */
  readonly inputOverrides: InputOverrides;

  constructor(source: Source, folder: string, overrides: InputOverrides = new InputOverrides()) {
    this.source = source;
    this.folder = folder;
    this.inputOverrides = overrides;
  }

  has(path: KeyPath): boolean {
    return this.source.get(path) !== undefined;
  }

  /** Returns a scalar as the file writes it. */
  text(path: KeyPath): string | undefined {
    const value = this.source.get(path);
    if (typeof value === "string") return value;
    return isScalar(value) ? this.source.text(path) : undefined;
  }

  /** Returns a scalar with its position. */
  sourceText(path: KeyPath): SourceText | undefined {
    const text = this.text(path);
    return text === undefined ? undefined : new LazySourceText(text, this.source, path);
  }

  /** Returns the paths of the items of a list. */
  items(path: KeyPath): KeyPath[] {
    const value = this.source.get(path);
    return Array.isArray(value) ? value.map((_, index) => [...path, index]) : [];
  }

  /** Returns the scalars of a list; undefined = there is no list. */
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

  /** Returns the scalars of a mapping as the file writes them. */
  texts(path: KeyPath): Record<string, string> {
    const texts: Record<string, string> = {};
    for (const key of this.keys(path)) {
      const text = this.text([...path, key]);
      if (text !== undefined) texts[key] = text;
    }
    return texts;
  }

  /** Returns an exact integer; undefined for anything else. */
  integer(path: KeyPath): bigint | undefined {
    const value = this.source.get(path);
    if (typeof value === "bigint") return value;
    return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
  }

  number(path: KeyPath): number | undefined {
    const value = this.source.get(path);
    return typeof value === "number" ? value : undefined;
  }

  /** Reports a problem with the value at `path`. */
  reportAt(path: KeyPath, message: string, hint?: string): void {
    this.report(this.source.positionOf(path), message, hint);
  }

  /** Keeps a note for the user, if it is the first on its subject. */
  noteOnce(subject: string, note: string): void {
    if (!this.#notes.has(subject)) this.#notes.set(subject, note);
  }

  /** What the user should know about a job that is valid, one sentence each. */
  get notes(): string[] {
    return [...this.#notes.values()];
  }

  report(position: FilePosition, message: string, hint?: string): void {
    this.problems.push({ ...position, message, hint });
  }
}

export function isScalar(value: unknown): value is string | number | bigint | boolean {
  return ["string", "number", "bigint", "boolean"].includes(typeof value);
}

/** Returns a text at the position of another one, e.g. a part of it. */
export function textInPlaceOf(other: SourceText, text: string): SourceText {
  return {
    text,
    get position() {
      return other.position;
    },
  };
}

/** Computes its position on demand: a jobs file may have a hundred thousand texts and rarely a problem. */
class LazySourceText implements SourceText {
  readonly text: string;
  readonly #source: Source;
  readonly #path: KeyPath;
  readonly #index: number | undefined;

  /** `index`: the index of the text in the list at `path`; undefined = the text itself is at `path`. */
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
