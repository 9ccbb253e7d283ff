import { text } from "node:stream/consumers";
import {
  combineLists,
  countCombinations,
  parseCsv,
  splitValues,
  type ValueTable,
} from "../executor/job/map/valuelists.js";
import { UsageError } from "../schemas/errors.js";
import { readTextFile } from "../schemas/textfile.js";

/** More tasks than that are a job file's work: one of kind `range` or `matrix` is lazy. */
const MAX_TASKS = 1_000_000;

const VALUE_SOURCES = "Add ::: VALUE..., --csv FILE or --count N, or pipe lines into it.";

/** A command with its values, as they are on the command line. */
export interface MapWords {
  command: string[];
  /** Each after a `:::`, or from the file after a `::::`. */
  lists: string[][];
}

/** Splits the words of `muster map` at each `:::` and `::::`. Throws UsageError, or the error of a file that cannot be read. */
export function splitMapWords(words: readonly string[]): MapWords {
  const parts: { separator: string; words: string[] }[] = [{ separator: "", words: [] }];
  for (const word of words) {
    if (word === ":::+" || word === "::::+")
      throw new UsageError(
        `map: ${word} is not supported`,
        "Put values that belong together into a CSV file: --csv FILE.",
      );
    if (word === ":::" || word === "::::") parts.push({ separator: word, words: [] });
    else parts.at(-1)!.words.push(word);
  }
  const [command, ...sources] = parts;
  if (command!.words.length === 0)
    throw new UsageError("map: there is no command before :::", "muster map ./score.py {} ::: a b");
  const lists = sources.map(({ separator, words: values }) =>
    separator === ":::" ? values : values.flatMap((file) => splitValues(readTextFile(file), false)),
  );
  return { command: command!.words, lists };
}

/** Where values come from, if not from the command line. */
export interface ValueOptions {
  /** A CSV file; `-` = stdin. */
  csv?: string;
  /** The numbers from 0 to this one, exclusive. */
  count?: string;
  /** The lines of stdin end with NUL. */
  null?: boolean;
}

/** Reads the values: those of the command line, of a CSV file, numbers, or the lines of stdin. Throws UsageError where there are none. */
export async function readMapValues(
  lists: readonly string[][],
  { csv, count, null: isNulSeparated = false }: ValueOptions,
): Promise<ValueTable> {
  const sources = [lists.length > 0 && ":::", csv !== undefined && "--csv", count !== undefined && "--count"];
  const named = sources.filter((source) => source !== false);
  if (named.length > 1) throw new UsageError(`map: ${named.join(" and ")} exclude each other`);
  const numbers = count === undefined ? [] : [listNumbers(count)];
  const table = csv === undefined ? await readLists([...lists, ...numbers], isNulSeparated) : await readCsv(csv);
  if (table.rows.length === 0) throw new UsageError("map: there are no values", VALUE_SOURCES);
  const long = table.rows.find(({ values }) => values.some((value) => value.includes("\0")));
  if (long !== undefined) throw new UsageError(`map: value ${long.number} contains a NUL character`, "Add -0.");
  return table;
}

function listNumbers(count: string): string[] {
  if (!/^[1-9]\d{0,6}$/.test(count) || Number(count) > MAX_TASKS)
    throw new UsageError(`map: --count ${count}: it must be a number from 1 to ${MAX_TASKS}`);
  return Array.from({ length: Number(count) }, (_, number) => `${number}`);
}

async function readLists(lists: readonly string[][], isNulSeparated: boolean): Promise<ValueTable> {
  if (lists.length === 0 && process.stdin.isTTY) throw new UsageError("map: there are no values", VALUE_SOURCES);
  const sources = lists.length > 0 ? lists : [splitValues(await text(process.stdin), isNulSeparated)];
  const count = countCombinations(sources);
  if (count > MAX_TASKS)
    throw new UsageError(
      `map: ${count} combinations are more than ${MAX_TASKS}`,
      "Write a job of kind `range` or `matrix`.",
    );
  return combineLists(sources);
}

async function readCsv(file: string): Promise<ValueTable> {
  const parsed = parseCsv(file === "-" ? await text(process.stdin) : readTextFile(file));
  if (!parsed.ok) throw new UsageError(`${file === "-" ? "stdin" : file}:${parsed.line}: ${parsed.message}`);
  return parsed.table;
}
