import { idFault } from "./ids.js";
import { Claims } from "./outputs.js";
import type { Path, Reader } from "./reader.js";
import { seconds } from "./settings.js";
import type { Space } from "./space.js";
import { type Task, TaskList } from "./tasklist.js";
import { type Draft, finish, type Memory, type Names, readDraft } from "./work.js";

/** A list of tasks in file order; what one leaves out it takes from the job. */
export function tasksSpace(reader: Reader, base: Draft, names: Names, memory: Memory): Space {
  const ids = new Ids(reader);
  const claims = new Claims();
  const tasks = new TaskList();
  for (const path of reader.items(["tasks"])) {
    const id = readId(reader, [...path, "id"]);
    if (id !== undefined) ids.add(id, [...path, "id"]);
    const work = finish(reader, path, readDraft(reader, path, names, memory, base));
    if (work === undefined || id === undefined) continue;
    claims.claim(reader, id, work.outputs, () => reader.source.at([...path, "outputs"]));
    tasks.add({ id, work, gpu: reader.number([...path, "gpu"]), ...readRank(reader, path) });
  }
  return tasks.space();
}

/** What a task says of when it should begin; the job's own word where it says nothing. */
export function readRank(reader: Reader, path: Path): Pick<Task, "expect" | "priority"> {
  const expect = seconds(reader, [...path, "expect"]) ?? seconds(reader, ["expect"]);
  return { expect, priority: reader.number([...path, "priority"]) };
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
