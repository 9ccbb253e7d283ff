import type { Problem } from "../../../schemas/errors.js";
import type { Source } from "../../../schemas/source.js";
import { readQueueRecords } from "./queuecounts.js";
import type { KeptFile, StoredTask } from "./queuerecord.js";
import { toCanonicalText } from "./queuestore.js";

/** A task of a batch whose id the queue has for another one. `index`: in the batch. */
export interface OtherTask {
  readonly index: number;
  readonly task: StoredTask;
}

/** Describes tasks of a batch that the queue of the run directory `path` has with another content. `source`: of the batch. */
export function describeOtherTasks(path: string, source: Source, others: readonly OtherTask[]): Problem[] {
  const ids = new Set(others.map(({ task }) => task.id));
  const accepted = new Map<string, StoredTask>();
  if (ids.size > 0)
    readQueueRecords(path, (record) => {
      if (record.e === "tasks") for (const task of record.tasks) if (ids.has(task.id)) accepted.set(task.id, task);
    });
  return others.map(({ index, task }) => {
    const place = source.positionOf(["tasks", index, "id"]);
    const before = accepted.get(task.id);
    const changed = before === undefined ? undefined : findChangedFile(before, task);
    const message = `the queue has a task "${task.id}" already, with another content`;
    if (changed === undefined) return { ...place, message, hint: "give the new one its own id" };
    const hint = "the queue keeps the file as it was; to compute the new one, give the task its own id";
    return { ...place, message: `${message} of its file ${changed}`, hint };
  });
}

/** Returns the file whose content is all that differs between two tasks; undefined where something else differs, too. */
function findChangedFile(before: StoredTask, now: StoredTask): string | undefined {
  if (toCanonicalText(hideContent(before)) !== toCanonicalText(hideContent(now))) return undefined;
  const earlier = new Map(listFiles(before).map((file) => [file[0], `${file}`]));
  return listFiles(now).find((file) => earlier.get(file[0]) !== `${file}`)?.[0];
}

function listFiles({ program, inputs = [] }: StoredTask): KeptFile[] {
  return program?.kind === "script" ? [program.script, ...inputs] : [...inputs];
}

function hideContent({ program, inputs = [], ...rest }: StoredTask): object {
  const isScript = program?.kind === "script";
  return {
    ...rest,
    program: isScript ? { ...program, script: program.script[0] } : program,
    inputs: inputs.map(([path]) => path),
  };
}
