import type { Place } from "../../schemas/errors.js";
import type { Path, Reader, Written } from "./reader.js";

/** A number that a job's chunks are given under a name that a profile's `limits` may bound. */
export interface Bounded {
  name: string;
  value: number;
  place: Place;
  /** As it is written there, e.g. `params.sample_size`. */
  what: string;
}

/**
 * The largest number that goes by each of `names`, wherever the file has it: a parameter, a key of the matrix, or literal
 * arguments (`--sample-size 450`, `--sample_size=450`) of the job, its tasks, or the entries of a jobs file.
 */
export function boundedIn(reader: Reader, names: Iterable<string>): Bounded[] {
  const wanted = new Set(names);
  const largest = new Map<string, Bounded>();
  if (wanted.size === 0) return [];
  for (const { name, text, at, what } of found(reader, wanted)) {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isNaN(value) || value <= (largest.get(name)?.value ?? Number.NEGATIVE_INFINITY)) continue;
    largest.set(name, { name, value, place: at(), what });
  }
  return [...largest.values()];
}

interface Mention {
  name: string;
  text: string;
  what: string;
  /** Worked out only for those that matter: a jobs file has a hundred thousand. */
  at(): Place;
}

function* found(reader: Reader, wanted: Set<string>): Generator<Mention> {
  for (const name of wanted) {
    const text = reader.text(["params", name]);
    if (text !== undefined) yield { name, text, what: `params.${name}`, at: () => reader.source.at(["params", name]) };
    yield* ofAxis(reader, name);
  }
  const holders: Path[] = [[], ...reader.items(["tasks"]), ...reader.items(["jobs"])];
  for (const path of holders)
    for (const key of ["args", "command"]) {
      const words = reader.list([...path, key]);
      if (words !== undefined) yield* inWords(words, wanted);
    }
}

/** The values of a matrix key; of a half-open range, the last. */
function* ofAxis(reader: Reader, name: string): Generator<Mention> {
  const path = ["matrix", name];
  const values = reader.list(path) ?? [];
  const what = `matrix.${name}`;
  const [first, end] = [reader.whole([...path, 0]), reader.whole([...path, 1])];
  if (values.length === 2 && first !== undefined && end !== undefined)
    yield { name, text: `${end - 1n}`, what, at: () => reader.source.at([...path, 1]) };
  else for (const one of values) yield { name, text: one.text, what, at: () => one.place };
}

function* inWords(words: Written[], wanted: Set<string>): Generator<Mention> {
  for (const [index, word] of words.entries()) {
    const option = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word.text);
    if (option === null) continue;
    const [, spelt = "", own] = option;
    const name = spelt.replaceAll("-", "_");
    if (!wanted.has(name)) continue;
    const holder = own === undefined ? words[index + 1] : word;
    if (holder === undefined) continue;
    yield { name, text: own ?? holder.text, what: word.text.split("=")[0]!, at: () => holder.place };
  }
}
