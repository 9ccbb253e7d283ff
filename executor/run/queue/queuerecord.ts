import { join } from "node:path";
import type { StagedFile } from "../../job/chunk.js";
import type { ProgramOf, TaskDefinition } from "../../job/queue/jobqueue.js";
import type { FileContent } from "../record/filehashes.js";

/** The file of a run directory that has the tasks of its queue, and the folder that has the files which they name. */
export const QUEUE_FILE = "queue.ndjson";
const INPUTS_FOLDER = "inputs";

/** A file that a task names, kept in the run directory under its SHA-256. `path`: relative to the job file. */
export type KeptFile = readonly [path: string, sha256: string, sizeBytes: number, mode: number];

/** A task as queue.ndjson has it. Parameters beyond 2^53 are `{"integer": "..."}`, because JSON.parse would round them. */
export type StoredTask = Omit<TaskDefinition<KeptFile>, "params"> & {
  readonly params?: Readonly<Record<string, string | number | boolean | { integer: string }>>;
};

/** A record of queue.ndjson: what was accepted at once. `at`: ISO 8601. */
export type QueueRecord =
  /** The first record: the absolute path of the job file. */
  | { e: "queue"; job: string; at: string }
  | { e: "tasks"; at: string; tasks: readonly StoredTask[] }
  /** These tasks are to be cancelled, unless they have a result by then. */
  | { e: "cancel"; at: string; ids: readonly string[] }
  /** No more tasks are accepted. `by`: why it closed by itself. */
  | { e: "close"; at: string; by?: "idle" };

/** Returns where the run directory `path` keeps a file of a queue. Executable files have names of their own. */
export function keptPath(path: string, { sha256, mode }: Pick<FileContent, "sha256" | "mode">): string {
  return join(path, INPUTS_FOLDER, mode & 0o111 ? `${sha256}.x` : sha256);
}

/** Returns the folder in which the run directory `path` keeps the files of its queue. */
export function keptFolder(path: string): string {
  return join(path, INPUTS_FOLDER);
}

/** Returns a task as it is stored. `kept`: the files that it names, by their paths on this machine. */
export function storeTask(task: TaskDefinition, kept: ReadonlyMap<string, FileContent>): StoredTask {
  const keep = ({ source, path }: StagedFile): KeptFile => {
    const { sha256, sizeBytes, mode } = kept.get(source)!;
    return [path, sha256, sizeBytes, mode];
  };
  const { params, program, inputs, ...rest } = task;
  return {
    ...rest,
    ...(params === undefined ? {} : { params: mapValues(params, storeValue) }),
    ...(program === undefined ? {} : { program: mapScript(program, keep) }),
    ...(inputs === undefined ? {} : { inputs: inputs.map(keep) }),
  };
}

/** Returns a stored task of the run directory `path`. Adds the content of its files to `contents`, by their paths on this machine. */
export function restoreTask(path: string, task: StoredTask, contents: Map<string, FileContent>): TaskDefinition {
  const find = ([name, sha256, sizeBytes, mode]: KeptFile): StagedFile => {
    const source = keptPath(path, { sha256, mode });
    contents.set(source, { sha256, sizeBytes, mode });
    return { source, path: name, bytes: sizeBytes };
  };
  const { params, program, inputs, ...rest } = task;
  return {
    ...rest,
    ...(params === undefined ? {} : { params: mapValues(params, restoreValue) }),
    ...(program === undefined ? {} : { program: mapScript(program, find) }),
    ...(inputs === undefined ? {} : { inputs: inputs.map(find) }),
  };
}

/** Lists the files that a task names. */
export function listTaskFiles({ program, inputs = [] }: TaskDefinition): StagedFile[] {
  return program?.kind === "script" ? [program.script, ...inputs] : [...inputs];
}

function mapScript<A, B>(program: ProgramOf<A>, to: (file: A) => B): ProgramOf<B> {
  return program.kind === "script" ? { ...program, script: to(program.script) } : program;
}

function mapValues<A, B>(values: Readonly<Record<string, A>>, to: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));
}

function storeValue(value: string | number | bigint | boolean) {
  return typeof value === "bigint" ? { integer: `${value}` } : value;
}

function restoreValue(value: string | number | boolean | { integer: string }) {
  return typeof value === "object" ? BigInt(value.integer) : value;
}
