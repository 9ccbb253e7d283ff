import { addTasks, closeQueue } from "../executor/run/queue/addtasks.js";
import { readSettledTasks } from "../executor/run/queue/settledtasks.js";
import { findRunQueue } from "../launch/findrunqueue.js";
import { createObjectSource } from "../schemas/objectsource.js";
import { explainSystemError } from "../schemas/systemerror.js";
import type { Task } from "../schemas/types.js";

/** How `add` adds tasks. */
export interface AddSettings {
  /** Accept no more tasks after these, so that the run ends when all are done. */
  close?: boolean;
}

/** What `add` has added. `known`: how many tasks the queue had already. `cancelled`: the ids of those that were cancelled, and will not run. */
export interface AddOutcome {
  readonly directory: string;
  readonly added: number;
  readonly known: number;
  readonly cancelled: readonly string[];
}

/**
 * Adds tasks to a run with `kind: queue`, of this process or of another one, also while no coordinator of it is alive. They are on disk when it
 * resolves: all of them, or none. A task that the queue has already is no change. `run`: a run directory, the name of a run in ./runs, or the
 * path of a job file. Rejects with NO_QUEUE, with QUEUE_CLOSED, and with an InvalidFileError for tasks that are wrong.
 */
export async function add(
  run: string,
  tasks: readonly Task[],
  { close = false }: AddSettings = {},
): Promise<AddOutcome> {
  try {
    const queue = await findRunQueue(run, undefined);
    const source = () => createObjectSource({ kind: "tasks", tasks }, queue.job.folder);
    const { added, known } = tasks.length === 0 ? { added: 0, known: [] } : await addTasks(queue, source());
    if (close) await closeQueue(queue);
    const { cancelled } = readSettledTasks(queue.path, known);
    return { directory: queue.path, added, known: known.length, cancelled };
  } catch (error) {
    throw explainSystemError(error);
  }
}
