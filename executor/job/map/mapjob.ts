import { basename } from "node:path";
import { quote } from "../../../fleet/quote.js";
import { UsageError } from "../../../schemas/errors.js";
import { formatJson } from "../../../schemas/escape.js";
import { encodeNamePart } from "../chunkids.js";
import { deriveName } from "../derivedname.js";
import { STDOUT } from "../outputs.js";
import type { ValueRow, ValueTable } from "./valuelists.js";
import { ValuePlaceholders } from "./valueplaceholders.js";

const MAX_ID_PART_CHARS = 40;

/** What `muster map` was told. */
export interface MapRequest {
  /** A program and its arguments, with placeholders; a single word with spaces is a line for the shell. */
  command: readonly string[];
  table: ValueTable;
  /** Patterns of the files to collect; none = stdout. */
  outputs: readonly string[];
  /** Other keys of the job, in their order. */
  keys: Readonly<Record<string, unknown>>;
  name: string | undefined;
}

/** One execution of the program. `words`: as they arrive there. */
export interface MapTask {
  id: string;
  words: readonly string[];
  /** The words as entries of `args`. */
  args: readonly string[];
  outputs: readonly string[];
  values: readonly string[];
}

/** Returns a name for a job that maps this command. */
export function nameMapJob(command: readonly string[]): string {
  const [first = "", second = ""] = isShellLine(command) ? command[0]!.trim().split(/\s+/) : command;
  const isInterpreter = /^(?:python[\d.]*|bash|sh|node|perl|Rscript|julia)$/.test(first);
  const program = isInterpreter && /^[^-{]/.test(second) ? second : first;
  return deriveName(program, { maxLength: 60, fallback: "map" });
}

/** Returns the tasks of a request. Throws UsageError for placeholders that stand for nothing. */
export function listMapTasks({ command, table, outputs }: MapRequest): MapTask[] {
  const count = table.rows[0]?.values.length ?? 0;
  const placeholders = new ValuePlaceholders(table.names, count);
  for (const word of [...command, ...outputs]) rejectUnknown(word, placeholders, table.names, count);
  const isShell = isShellLine(command);
  // As GNU parallel does: without a placeholder, the value follows the command.
  const hasValue = command.some((word) => placeholders.isIn(word));
  const words = hasValue ? command : isShell ? [`${command[0]} {}`] : [...command, "{}"];
  const change = isShell ? quote : undefined;
  return table.rows.map((row) => ({
    id: createId(row),
    words: words.map((word) => placeholders.fill(word, row, change)),
    args: words.map((word) => placeholders.fillArgument(word, row, change)),
    outputs: outputs.map((pattern) => placeholders.fill(pattern, row)),
    values: row.values,
  }));
}

/** Whether a command is a line for the shell. */
function isShellLine(command: readonly string[]): boolean {
  return command.length === 1 && /\s/.test(command[0]!);
}

/** How the program of the tasks is written into the job. `script`: its path, relative to the job file; undefined = a command. */
export interface MapProgram {
  script: string | undefined;
  /** Returns the files among texts that are staged, relative to the job file. */
  findInputs(texts: readonly string[]): string[];
}

/** Returns the job file of a request, whose tasks are `tasks`. `about`: comments for its top. */
export function formatMapJob(
  request: MapRequest & { name: string },
  tasks: readonly MapTask[],
  { script, findInputs }: MapProgram,
  about: readonly string[],
): string {
  const { name, keys, outputs } = request;
  const isShell = isShellLine(request.command);
  const lines = tasks.map(({ id, words, args, outputs: files, values }) => {
    const inputs = findInputs([...words.slice(1), ...values]);
    const program =
      script !== undefined
        ? { args: args.slice(1) }
        : isShell
          ? { args }
          : { command: args.slice(0, 1), args: args.slice(1) };
    return {
      id,
      ...program,
      ...(inputs.length === 0 ? {} : { inputs }),
      ...(outputs.length === 0 ? {} : { outputs: files }),
    };
  });
  const head = {
    name,
    kind: "tasks",
    ...keys,
    ...(script === undefined ? {} : { script }),
    ...(isShell ? { command: ["sh", "-c"] } : {}),
    ...(outputs.length === 0 ? { outputs: [STDOUT] } : {}),
  };
  return [
    ...about.map((line) => `# ${line}`),
    ...Object.entries(head).map(([key, value]) => `${key}: ${formatJson(value)}`),
    "tasks:",
    ...lines.map((task) => `  - ${formatJson(task)}`),
    "",
  ].join("\n");
}

/** The id of a task: its number, and the last part of its first value. */
function createId({ number, values }: ValueRow): string {
  const part = encodeNamePart(basename(values[0] ?? "")).slice(0, MAX_ID_PART_CHARS);
  return part === "" ? `${number}` : `${number}-${part}`;
}

function rejectUnknown(word: string, placeholders: ValuePlaceholders, names: readonly string[], count: number): void {
  const unknown = placeholders.findUnknown(word);
  if (unknown === undefined) return;
  const all = names.length > 0 ? names : Array.from({ length: count }, (_, at) => `${at + 1}`);
  const known = all.map((name) => `{${name}}`).join(" ");
  throw new UsageError(`map: ${unknown} stands for no value`, `There are ${known} {} and {#}.`);
}
