import type { FilePosition } from "../../schemas/errors.js";
import type { LimitedValue } from "./job.js";
import type { JobReader, KeyPath, SourceText } from "./reader.js";

/**
 * Returns the largest number for each of `names` in the file: a matrix key, or a parameter or literal arguments
 * (`--sample-size 450`, `--sample_size=450`) of the job, its tasks, or the entries of a jobs file.
 */
export function findLimitedValues(reader: JobReader, names: Iterable<string>): LimitedValue[] {
  const wanted = new Set(names);
  const largest = new Map<string, LimitedValue>();
  if (wanted.size === 0) return [];
  for (const { name, text, at, what } of findMentions(reader, wanted)) {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isNaN(value) || value <= (largest.get(name)?.value ?? Number.NEGATIVE_INFINITY)) continue;
    largest.set(name, { name, value, place: at(), label: what });
  }
  return [...largest.values()];
}

interface ValueMention {
  name: string;
  text: string;
  what: string;
  /** Computed only on demand: a jobs file may have a hundred thousand values. */
  at(): FilePosition;
}

function* findMentions(reader: JobReader, wanted: Set<string>): Generator<ValueMention> {
  for (const name of wanted) yield* findInMatrix(reader, name);
  const holders: KeyPath[] = [[], ...reader.items(["tasks"]), ...reader.items(["jobs"])];
  for (const path of holders) {
    for (const name of wanted) {
      const at = [...path, "params", name];
      const text = reader.text(at);
      if (text !== undefined) yield { name, text, what: `params.${name}`, at: () => reader.source.positionOf(at) };
    }
    for (const key of ["args", "command"]) {
      const words = reader.list([...path, key]);
      if (words !== undefined) yield* findInArguments(words, wanted);
    }
  }
}

/** Yields the values of a matrix key; for a half-open range, its last one. */
function* findInMatrix(reader: JobReader, name: string): Generator<ValueMention> {
  const path = ["matrix", name];
  const values = reader.list(path) ?? [];
  const what = `matrix.${name}`;
  const [first, end] = [reader.integer([...path, 0]), reader.integer([...path, 1])];
  if (values.length === 2 && first !== undefined && end !== undefined)
    yield { name, text: `${end - 1n}`, what, at: () => reader.source.positionOf([...path, 1]) };
  else for (const one of values) yield { name, text: one.text, what, at: () => one.position };
}

function* findInArguments(words: SourceText[], wanted: Set<string>): Generator<ValueMention> {
  for (const [index, word] of words.entries()) {
    const option = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word.text);
    if (option === null) continue;
    const [, spelt = "", own] = option;
    const name = spelt.replaceAll("-", "_");
    if (!wanted.has(name)) continue;
    const holder = own === undefined ? words[index + 1] : word;
    if (holder === undefined) continue;
    yield { name, text: own ?? holder.text, what: word.text.split("=")[0]!, at: () => holder.position };
  }
}
