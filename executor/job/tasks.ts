import { findIdFault } from "./chunkids.js";
import { readSeconds } from "./jobsettings.js";
import { OutputRegistry } from "./outputs.js";
import type { JobReader, KeyPath } from "./reader.js";
import { finishSpec, type LoadCache, type Placeholders, readSpecDraft, type SpecDraft } from "./specreader.js";
import { type TaskEntry, TaskList } from "./tasklist.js";
import type { UnitSpace } from "./unitspace.js";

/** A list of tasks in file order; what one leaves out it takes from the job. */
export function readTasks(reader: JobReader, base: SpecDraft, names: Placeholders, memory: LoadCache): UnitSpace {
  const ids = new IdRegistry(reader);
  const claims = new OutputRegistry();
  const tasks = new TaskList();
  for (const path of reader.items(["tasks"])) {
    const id = readTaskId(reader, [...path, "id"]);
    if (id !== undefined) ids.add(id, [...path, "id"]);
    const work = finishSpec(reader, path, readSpecDraft(reader, path, names, memory, base));
    if (work === undefined || id === undefined) continue;
    claims.register(reader, id, work.outputs, () => reader.source.positionOf([...path, "outputs"]));
    tasks.add({ id, spec: work, gpu: reader.number([...path, "gpu"]), ...readTaskRank(reader, path) });
  }
  return tasks.toUnitSpace();
}

/** What a task says of when it should begin; the job's own word where it says nothing. */
export function readTaskRank(reader: JobReader, path: KeyPath): Pick<TaskEntry, "expectedSeconds" | "priority"> {
  const expect = readSeconds(reader, [...path, "expect"]) ?? readSeconds(reader, ["expect"]);
  return { expectedSeconds: expect, priority: reader.number([...path, "priority"]) };
}

/** The ids met so far; a second one of the same name is noted. */
export class IdRegistry {
  readonly #reader: JobReader;
  readonly #paths = new Map<string, KeyPath>();

  constructor(reader: JobReader) {
    this.#reader = reader;
  }

  add(id: string, path: KeyPath): void {
    const other = this.#paths.get(id);
    if (other === undefined) this.#paths.set(id, path);
    else {
      const line = this.#reader.source.positionOf(other).line;
      this.#reader.reportAt(
        path,
        `the id "${id}" is there twice (first in line ${line})`,
        "give each an id of its own",
      );
    }
  }
}

function readTaskId(reader: JobReader, path: KeyPath): string | undefined {
  const id = reader.text(path);
  const fault = id === undefined ? undefined : findIdFault(id);
  if (fault !== undefined) reader.reportAt(path, `the id "${id}" ${fault}`, "it names the files of the task's logs");
  return id;
}
