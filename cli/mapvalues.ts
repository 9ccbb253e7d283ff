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

/** Reads the values: those of the command line, of a CSV file (`-` = stdin), or the lines of stdin. Throws UsageError where there are none. */
export async function readMapValues(
  lists: readonly string[][],
  { csv, null: isNulSeparated = false }: { csv?: string; null?: boolean },
): Promise<ValueTable> {
  if (csv !== undefined && lists.length > 0) throw new UsageError("map: --csv and ::: exclude each other");
  const table = csv === undefined ? await readLists(lists, isNulSeparated) : await readCsv(csv);
  if (table.rows.length === 0) throw new UsageError("map: there are no values", "Nothing was run.");
  const long = table.rows.find(({ values }) => values.some((value) => value.includes("\0")));
  if (long !== undefined) throw new UsageError(`map: value ${long.number} contains a NUL character`, "Add -0.");
  return table;
}

async function readLists(lists: readonly string[][], isNulSeparated: boolean): Promise<ValueTable> {
  if (lists.length === 0 && process.stdin.isTTY)
    throw new UsageError("map: there are no values", "Add ::: VALUE..., --csv FILE, or pipe lines into it.");
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
