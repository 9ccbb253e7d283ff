import type { Params } from "./chunk.js";
import { findIdFault } from "./chunkids.js";
import { readSeconds } from "./jobsettings.js";
import { OutputRegistry } from "./outputregistry.js";
import { fillParams, readOwnParams, toTexts } from "./params.js";
import type { JobReader, KeyPath } from "./reader.js";
import { listResultPaths } from "./resultpath.js";
import { finishSpec, type LoadCache, type Placeholders, readSpecDraft, type SpecDraft } from "./specreader.js";
import { type TaskEntry, TaskList } from "./tasklist.js";
import type { UnitSpace } from "./unitspace.js";

/** Reads a list of tasks; each inherits from the job what it leaves out. `base`: what they inherit, with its parameters unfilled. */
export function readTasks(reader: JobReader, base: SpecDraft, placeholders: Placeholders, cache: LoadCache): UnitSpace {
  const ids = new IdRegistry(reader);
  const registry = new OutputRegistry();
  const tasks = new TaskList();
  const params = readOwnParams(reader, [], reader.keys(["params"]));
  const shared = fillBase(base, params);
  for (const path of reader.items(["tasks"])) {
    const id = readTaskId(reader, [...path, "id"]);
    const isNew = id !== undefined && ids.add(id, [...path, "id"]);
    const own = readOwnParams(reader, path, Object.keys(params));
    const hasOwn = Object.keys(own).length > 0;
    const filling = hasOwn ? { known: placeholders.known, params: toTexts({ ...params, ...own }) } : placeholders;
    const inherited = hasOwn ? fillBase(base, { ...params, ...own }) : shared;
    const spec = finishSpec(reader, path, readSpecDraft(reader, path, filling, cache, inherited));
    if (spec === undefined || id === undefined) continue;
    const paths = listResultPaths({ kind: "tasks", folders: cache.outputScope }, { id, spec });
    if (isNew) registry.register(reader, id, paths, () => reader.source.positionOf([...path, "outputs"]));
    const gpu = reader.number([...path, "gpu"]);
    tasks.add({ id, spec, gpu, ...(hasOwn ? { params: own } : {}), ...readTaskRank(reader, path) });
  }
  return tasks.toUnitSpace();
}

/** Returns what tasks with these parameters inherit. */
function fillBase(base: SpecDraft, params: Params): SpecDraft {
  return { ...base, words: fillParams(base.words, params), args: fillParams(base.args, params) };
}

/** Returns the expected seconds and the priority of a task; the job's own `expect` if the task has none. */
export function readTaskRank(reader: JobReader, path: KeyPath): Pick<TaskEntry, "expectedSeconds" | "priority"> {
  const expect = readSeconds(reader, [...path, "expect"]) ?? readSeconds(reader, ["expect"]);
  return { expectedSeconds: expect, priority: reader.number([...path, "priority"]) };
}

/** The ids found so far; a duplicate is reported. */
export class IdRegistry {
  readonly #reader: JobReader;
  readonly #paths = new Map<string, KeyPath>();

  constructor(reader: JobReader) {
    this.#reader = reader;
  }

  /** Returns whether the id is new. */
  add(id: string, path: KeyPath): boolean {
    const other = this.#paths.get(id);
    if (other === undefined) {
      this.#paths.set(id, path);
      return true;
    }
    const line = this.#reader.source.positionOf(other).line;
    this.#reader.reportAt(path, `the id "${id}" appears twice (first in line ${line})`, "give each task its own id");
    return false;
  }
}

/** Returns the id of a task; undefined where it has none. Reports one that cannot name files. */
export function readTaskId(reader: JobReader, path: KeyPath): string | undefined {
  const id = reader.text(path);
  const fault = id === undefined ? undefined : findIdFault(id);
  if (fault !== undefined) reader.reportAt(path, `the id "${id}" ${fault}`, "the task's log files are named after it");
  return id;
}
