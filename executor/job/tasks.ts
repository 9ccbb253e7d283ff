import { idFault } from "./ids.js";
import type { Chunk, Work } from "./job.js";
import { Claims } from "./outputs.js";
import type { Path, Reader } from "./reader.js";
import { identityOf, stagedOf, withValues } from "./recipe.js";
import { seconds } from "./settings.js";
import type { Space } from "./space.js";
import { type Draft, finish, type Memory, type Names, readDraft } from "./work.js";

/** One task, ready to be a chunk. */
export interface Task {
  id: string;
  work: Work;
  gpu?: number;
  /** Seconds that it is said to take. */
  expect?: number;
  priority?: number;
}

/** A list of tasks in file order; what one leaves out it takes from the job. */
export function tasksSpace(reader: Reader, base: Draft, names: Names, memory: Memory): Space {
  const ids = new Ids(reader);
  const claims = new Claims();
  const tasks = reader.items(["tasks"]).flatMap((path) => {
    const id = readId(reader, [...path, "id"]);
    if (id !== undefined) ids.add(id, [...path, "id"]);
    const work = finish(reader, path, readDraft(reader, path, names, memory, base));
    if (work === undefined || id === undefined) return [];
    claims.claim(reader, id, work.outputs, () => reader.source.at([...path, "outputs"]));
    const gpu = reader.number([...path, "gpu"]);
    return [{ id, work: withValues(work, new Map([["chunk", id]])), gpu, ...readRank(reader, path) }];
  });
  return listSpace(tasks);
}

/** What a task says of when it should begin; the job's own word where it says nothing. */
export function readRank(reader: Reader, path: Path): Pick<Task, "expect" | "priority"> {
  const expect = seconds(reader, [...path, "expect"]) ?? seconds(reader, ["expect"]);
  return { expect, priority: reader.number([...path, "priority"]) };
}

/** The space of tasks that are there already. */
export function listSpace(tasks: Task[]): Space {
  const index = new Map(tasks.map(({ id }, at) => [id, BigInt(at)]));
  return {
    first: 0n,
    units: BigInt(tasks.length),
    outputs: tasks.map(({ work }) => work.outputs),
    identity: { tasks: tasks.map(({ id, work, gpu }) => ({ id, gpu, ...identityOf(work) })) },
    chunk(start): Chunk {
      const task = tasks[Number(start)];
      if (task === undefined) throw new RangeError(`there is no task ${start}`);
      return { ...task, start, end: start + 1n };
    },
    unitsOf(id) {
      const at = index.get(id);
      return at === undefined ? undefined : [at, at + 1n];
    },
    stagedFiles: () => stagedOf(tasks.map(({ work }) => work)),
  };
}

/** The ids met so far; a second one of the same name is noted. */
export class Ids {
  readonly #reader: Reader;
  readonly #paths = new Map<string, Path>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  add(id: string, path: Path): void {
    const other = this.#paths.get(id);
    if (other === undefined) this.#paths.set(id, path);
    else {
      const line = this.#reader.source.at(other).line;
      this.#reader.fault(path, `the id "${id}" is there twice (first in line ${line})`, "give each an id of its own");
    }
  }
}

function readId(reader: Reader, path: Path): string | undefined {
  const id = reader.text(path);
  const fault = id === undefined ? undefined : idFault(id);
  if (fault !== undefined) reader.fault(path, `the id "${id}" ${fault}`, "it names the files of the task's logs");
  return id;
}
