import { basename, dirname, extname } from "node:path";
import type { ValueRow } from "./valuelists.js";

/** {} {.} {/} {//} {/.} {#}, each also with the number or the name of a value: {2} {2.} {lr} {lr/.}; never ${...} of a shell */
const PLACEHOLDER = /(?<!\$)\{(#|(?:\d+|[A-Za-z_]\w*)?(?:\.|\/\/|\/\.|\/)?)\}/g;
/** Placeholders of a task's `args` that are filled on the node. */
const OF_TASKS = new Set(["chunk", "out", "gpu", "cores"]);

/** Replaces the placeholders in words by values. `names`: of the columns of a table. */
export class ValuePlaceholders {
  private readonly columns: ReadonlyMap<string, number>;

  constructor(
    names: readonly string[],
    private readonly count: number,
  ) {
    this.columns = new Map(names.map((name, at) => [name, at]));
  }

  /** Whether a word has a placeholder for a value. */
  isIn(word: string): boolean {
    return [...word.matchAll(PLACEHOLDER)].some(([, inner]) => inner !== "#" && this.locate(inner!) !== undefined);
  }

  /** Returns a name in braces that stands for no value though values have names, or a number that is too large; undefined = none. */
  findUnknown(word: string): string | undefined {
    const unknown = [...word.matchAll(PLACEHOLDER)].find(([, inner]) => {
      const name = /^[A-Za-z_]\w*|^\d+/.exec(inner!)?.[0];
      if (name === undefined || this.locate(inner!) !== undefined || OF_TASKS.has(inner!)) return false;
      return /^\d/.test(name) ? Number(name) <= 99 : this.columns.size > 0;
    });
    return unknown?.[0];
  }

  /** Returns the word with values; braces of other texts stay. `change`: is applied to each value. */
  fill(word: string, row: ValueRow, change = (value: string) => value): string {
    return this.replace(word, row, change, (text) => text);
  }

  /** Returns the word with values as an entry of `args` of a task, in which braces are doubled. */
  fillArgument(word: string, row: ValueRow, change = (value: string) => value): string {
    return this.replace(word, row, (value) => doubleBraces(change(value)), doubleBraces);
  }

  private replace(
    word: string,
    row: ValueRow,
    change: (value: string) => string,
    keep: (text: string) => string,
  ): string {
    let [filled, end] = ["", 0];
    for (const match of word.matchAll(PLACEHOLDER)) {
      const [text, inner] = match;
      const value = this.valueOf(inner!, row);
      if (value === undefined && !OF_TASKS.has(inner!)) continue;
      filled += keep(word.slice(end, match.index)) + (value === undefined ? text : change(value));
      end = match.index + text.length;
    }
    return filled + keep(word.slice(end));
  }

  private valueOf(inner: string, { number, values }: ValueRow): string | undefined {
    if (inner === "#") return `${number}`;
    const found = this.locate(inner);
    if (found === undefined) return undefined;
    const chosen = found.column === undefined ? values : [values[found.column]!];
    return chosen.map((value) => applyOperator(value, found.operator)).join(" ");
  }

  /** Returns which value a placeholder stands for (undefined = all of them); undefined where it stands for none. */
  private locate(inner: string): { column: number | undefined; operator: string } | undefined {
    const [, name = "", operator = ""] = /^(\d+|[A-Za-z_]\w*)?(.*)$/.exec(inner)!;
    if (name === "") return { column: undefined, operator };
    const column = /^\d/.test(name) ? Number(name) - 1 : this.columns.get(name);
    return column !== undefined && column >= 0 && column < this.count ? { column, operator } : undefined;
  }
}

/** As in GNU parallel: {.} without its extension, {/} the last part of a path, {//} its folder, {/.} both of the first two. */
function applyOperator(value: string, operator: string): string {
  switch (operator) {
    case ".":
      return value.slice(0, value.length - extname(value).length);
    case "/":
      return basename(value);
    case "//":
      return dirname(value);
    case "/.":
      return basename(value, extname(value));
    default:
      return value;
  }
}

function doubleBraces(text: string): string {
  return text.replace(/[{}]/g, "$&$&");
}
