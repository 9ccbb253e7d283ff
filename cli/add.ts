import { resolve } from "node:path";
import { type AddedTasks, addTasks, closeQueue } from "../executor/run/queue/addtasks.js";
import { readSettledTasks } from "../executor/run/queue/settledtasks.js";
import { findRunQueue } from "../launch/findrunqueue.js";
import { formatAddedTasks } from "../report/queuetext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { parseTasks } from "../schemas/parsesource.js";
import type { Source } from "../schemas/source.js";
import { readTextFile, readTextStream } from "../schemas/textfile.js";
import type { CommonOptions } from "./options.js";

/** The options of `muster add`. */
export interface AddOptions extends CommonOptions {
  close?: boolean;
  out?: string;
}

/**
 * `muster add RUN TASKS`: adds tasks to the queue of a run, from a file or from stdin; with `--close` it closes the queue then. They are on
 * disk when it returns 0.
 */
export async function add(
  run: string,
  tasks: string | undefined,
  options: AddOptions,
  writers: Writers,
): Promise<number> {
  if (tasks === undefined && !options.close)
    throw new UsageError("add: name a file with tasks, or - for stdin", "To accept no more of them, add --close.");
  const queue = await findRunQueue(run, options.out);
  const source = tasks === undefined ? undefined : await readTasks(tasks);
  const added = source === undefined ? undefined : await addTasks(queue, source);
  const closed = options.close === true;
  if (closed) await closeQueue(queue);
  const result = { directory: queue.path, ...(added === undefined ? {} : describeAdded(queue.path, added)), closed };
  if (options.json) writers.out(formatJson(result, 2));
  else if (!options.quiet) writers.out(formatAddedTasks(result));
  return 0;
}

/** Returns what was added. Tasks that were there already may have been cancelled, and then will not run. */
function describeAdded(path: string, { added, known, accepted }: AddedTasks) {
  return { added, known: known.length, accepted, cancelled: readSettledTasks(path, known).cancelled };
}

async function readTasks(file: string): Promise<Source> {
  if (file !== "-") return parseTasks(resolve(file), readTextFile(resolve(file)));
  if (process.stdin.isTTY) throw new UsageError("add: stdin is a terminal", "Pipe tasks into it, or name a file.");
  return parseTasks("stdin", await readTextStream(process.stdin, "stdin"));
}
