import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { formatMapJob, listMapTasks, type MapTask, nameMapJob } from "../executor/job/map/mapjob.js";
import { quote } from "../fleet/quote.js";
import { pluralize } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { InvalidFileError, MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { MAP_FILE, MapFolders } from "./mapfolders.js";
import { readMapValues, splitMapWords, type ValueOptions } from "./mapvalues.js";
import type { RunCommandOptions } from "./options.js";
import { performJob } from "./performjob.js";
import { ResultPrinter } from "./resultprinter.js";
import { type LoadedFile, loadJobFile } from "./run.js";

/** The options of `muster map`. */
export interface MapOptions extends RunCommandOptions, ValueOptions {
  output?: string[];
  keepOrder?: boolean;
  name?: string;
  needs?: string[];
  timeout?: string;
  halt?: string;
  dryRun?: boolean;
}

/**
 * `muster map COMMAND... ::: VALUES...`: runs a program once for each value, on the nodes of the inventory, and prints what it printed. The
 * job that this is lies in the run directory. Returns the exit status of `muster run`.
 */
export async function map(words: string[], options: MapOptions, writers: Writers): Promise<number> {
  const { command, lists } = splitMapWords(words);
  const table = await readMapValues(lists, options);
  const name = options.name ?? nameMapJob(command);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(name))
    throw new UsageError(`map: --name ${name}: cannot name a folder`);
  const request = { command, table, outputs: options.output ?? [], name };
  const tasks = listMapTasks({ ...request, keys: {} });
  if (options.dryRun) return printTasks(tasks, options, writers);
  const folders = MapFolders.find(process.cwd());
  const script = folders.findScript(command[0]!);
  const texts = [...new Set(tasks.flatMap((task) => [...task.words.slice(1), ...task.values]))];
  const isCopied = new Set(texts.filter((text) => folders.classify(text) === "in project"));
  const format = (path: string) => {
    const toJob = (one: string) => relative(path, resolve(folders.cwd, one));
    const findInputs = (some: readonly string[]) => [...new Set(some.filter((text) => isCopied.has(text)).map(toJob))];
    const program = { script: script && relative(path, script), findInputs };
    const keys = { ...folders.describeProject(path), ...readKeys(options) };
    return formatMapJob({ ...request, keys }, tasks, program, describeJob(command, path, options));
  };
  const path = folders.chooseRun(options.out, name, options.fresh === true, format);
  const file = join(path, MAP_FILE);
  const text = format(path);
  const isNew = mkdirSync(path, { recursive: true }) !== undefined;
  writeFileSync(file, text);
  const loaded = await loadJobFile(file, options).catch((error: unknown) => {
    // Options that make no job leave nothing behind.
    if (isNew) rmSync(path, { recursive: true });
    throw explainInvalidJob(error, file);
  });
  if (!options.quiet && !options.json) {
    writers.err(`${pluralize(tasks.length, "task")}; the job: ${relative(folders.cwd, file)}`);
    for (const note of describeOthers(texts, folders)) writers.err(note);
  }
  return perform(loaded, tasks, { ...options, out: path, fresh: false }, writers);
}

/** Turns problems of the job file into a UsageError: the command line is what a person has written, and can correct. */
function explainInvalidJob(error: unknown, file: string): unknown {
  if (!(error instanceof InvalidFileError) || error.problems.some((problem) => problem.file !== file)) return error;
  const hints = error.problems.flatMap(({ hint }) => hint ?? []);
  const message = `map: ${error.problems.map((problem) => problem.message).join("; ")}`;
  return new UsageError(message, hints.length === 0 ? undefined : hints.join("; "));
}

function perform(loaded: LoadedFile, tasks: MapTask[], options: MapOptions, writers: Writers): Promise<number> {
  if (loaded.kind !== "job") throw new MusterError("INVALID_FILE", `${options.out} has no job`);
  const printsResults = options.output === undefined && !options.json;
  const ids = tasks.map(({ id }) => id);
  const results = new ResultPrinter(ids, loaded.job.results?.folder, options.keepOrder === true);
  return performJob(loaded, options, writers, printsResults ? { results } : {});
}

function printTasks(tasks: MapTask[], { json }: MapOptions, writers: Writers): number {
  if (json)
    writers.out(
      formatJson(
        tasks.map(({ id, words, outputs }) => ({ id, argv: words, outputs })),
        2,
      ),
    );
  else for (const { words } of tasks) writers.out(words.length === 1 ? words[0]! : words.map(quote).join(" "));
  return 0;
}

/** Returns the keys of the job that options set. */
function readKeys({ needs, timeout, halt }: MapOptions): Record<string, unknown> {
  return {
    ...(timeout === undefined ? {} : { timeout }),
    ...(halt === undefined ? {} : { halt: readHalt(halt) }),
    ...(needs === undefined ? {} : { needs: Object.fromEntries(needs.map(readNeed)) }),
  };
}

function readHalt(limit: string): Record<string, unknown> {
  return limit === "never" ? { alike: 0 } : { failures: /^\d+$/.test(limit) ? Number(limit) : limit };
}

/** Keys of `needs` that are lists. */
const LISTS = new Set(["nodes", "playbooks"]);

function readNeed(pair: string): [string, unknown] {
  const [, key, value] = /^([a-z_]+)=(.+)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined)
    throw new UsageError(
      `map: --needs ${pair}: it must be key=value`,
      "For example --needs vendor=amd --needs memory=2GiB.",
    );
  if (LISTS.has(key)) return [key, value.split(",")];
  return [key, /^\d+$/.test(value) ? Number(value) : value];
}

/** Returns the comments at the top of the job file. */
function describeJob(command: readonly string[], path: string, { inventory }: MapOptions): string[] {
  const shown = command
    .map(quote)
    .join(" ")
    .replace(/[^\x20-\x7e]/g, "?");
  const run = relative(process.cwd(), path);
  const where = inventory === undefined ? "" : ` -i ${quote(inventory)}`;
  return [
    `Written by: muster map ${shown.length > 200 ? `${shown.slice(0, 200)}...` : shown}`,
    `Run it again in ${"`"}${run}-again${"`"}: muster run ${quote(`${run}/${MAP_FILE}`)} --out ${quote(`${run}-again`)}${where}`,
  ];
}

/** Says which files among the arguments are not copied to the nodes. */
function describeOthers(texts: readonly string[], folders: MapFolders): string[] {
  const others = texts.filter((text) => folders.classify(text) === "elsewhere");
  if (others.length === 0) return [];
  const rest = others.length === 1 ? "is" : `and ${others.length - 1} more are`;
  return [`${others[0]} ${rest} not copied to the nodes: only relative paths in the project ${folders.root} are`];
}
