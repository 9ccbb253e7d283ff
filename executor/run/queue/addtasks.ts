import { InvalidFileError, MusterError } from "../../../schemas/errors.js";
import type { Source } from "../../../schemas/source.js";
import type { Job } from "../../job/job.js";
import type { JobQueue } from "../../job/queue/jobqueue.js";
import { explainDiskError } from "../record/diskerror.js";
import { keepFiles } from "./keepfiles.js";
import { describeOtherTasks, type OtherTask } from "./othertask.js";
import { listTaskFiles, storeTask } from "./queuerecord.js";
import { QueueStore } from "./queuestore.js";
import { readSettledTasks, type SettledTasks } from "./settledtasks.js";

/** A queue of a run: its run directory, and its job. */
export interface RunQueue {
  readonly path: string;
  readonly job: Job;
}

/** The result of adding tasks. `known`: the ids of those that the queue had already; `accepted`: how many it has now. */
export interface AddedTasks {
  readonly added: number;
  readonly known: readonly string[];
  readonly accepted: number;
}

/** The answer to a request to cancel tasks: `tasks` will be, unless they are done by then; the others are done or cancelled already. */
export interface CancelledTasks extends SettledTasks {
  readonly tasks: readonly string[];
}

/**
 * Adds tasks to the queue of a run, whether its coordinator is alive or not, and before its first one. `tasks`: the result of `parseTasks`.
 * They are on disk, with copies of the files that they name, when this resolves: all of them, or none. A task that the queue has already
 * is no change. Rejects with NO_QUEUE (65) for jobs of another kind, QUEUE_CLOSED (65) for a new task where the queue is closed, INVALID_FILE
 * (65) with every problem, also for an id that the queue has with another content; with HELD (75), JOURNAL_DAMAGED (65) and disk errors.
 */
export async function addTasks({ path, job }: RunQueue, tasks: Source): Promise<AddedTasks> {
  const read = requireQueue({ path, job }).read(tasks);
  const kept = await keepFiles(path, read.flatMap(listTaskFiles)).catch((error) => {
    throw explainDiskError(path, error);
  });
  return withStore({ path, job }, async (store) => {
    const others: OtherTask[] = [];
    const known: string[] = [];
    const fresh = read.flatMap((definition, index) => {
      const task = storeTask(definition, kept);
      const membership = store.membershipOf(task);
      if (membership === "other") others.push({ index, task });
      if (membership === "same") known.push(task.id);
      return membership === "new" ? [task] : [];
    });
    const problems = describeOtherTasks(path, tasks, others);
    if (problems.length > 0) throw new InvalidFileError(problems);
    if (fresh.length > 0 && store.isClosed) throw createClosedError(path);
    if (fresh.length > 0) await store.append({ e: "tasks", at: new Date().toISOString(), tasks: fresh });
    return { added: fresh.length, known, accepted: store.taskCount };
  });
}

/** Closes the queue of a run: no more tasks are accepted, and the run ends when all are done. Returns false if it was closed. */
export async function closeQueue(queue: RunQueue): Promise<boolean> {
  requireQueue(queue);
  return withStore(queue, async (store) => {
    if (store.isClosed) return false;
    await store.append({ e: "close", at: new Date().toISOString() });
    return true;
  });
}

/**
 * Closes a queue that had no work for a while, unless tasks were added meanwhile: `lengthBytes` is how far it was read. Returns whether
 * it is closed.
 */
export async function closeIdleQueue(queue: RunQueue, lengthBytes: number): Promise<boolean> {
  return withStore(queue, async (store) => {
    if (store.lengthBytes !== lengthBytes) return store.isClosed;
    await store.append({ e: "close", at: new Date().toISOString(), by: "idle" });
    return true;
  });
}

/**
 * Asks for the cancellation of tasks: those that have no result by then will have none, and those that run are stopped. What is done or
 * cancelled already stays as it is. Rejects with USAGE (64) for an id that the queue does not have, and as addTasks does.
 */
export async function cancelTasks(queue: RunQueue, ids: readonly string[]): Promise<CancelledTasks> {
  requireQueue(queue);
  return withStore(queue, async (store) => {
    const unknown = ids.find((id) => !store.has(id));
    if (unknown !== undefined)
      throw new MusterError("USAGE", `the queue of ${queue.path} has no task "${unknown}"`, {
        next: "Check its id: `muster logs` and results.ndjson name tasks by their ids.",
      });
    const settled = readSettledTasks(queue.path, [...new Set(ids)]);
    const known = new Set([...settled.done, ...settled.cancelled]);
    const tasks = [...new Set(ids)].filter((id) => !known.has(id));
    if (tasks.length > 0) await store.append({ e: "cancel", at: new Date().toISOString(), ids: tasks });
    return { tasks, ...settled };
  });
}

async function withStore<T>({ path, job }: RunQueue, use: (store: QueueStore) => Promise<T>): Promise<T> {
  let store: QueueStore | undefined;
  try {
    store = await QueueStore.open(path, job.file);
    return await use(store);
  } catch (error) {
    throw explainDiskError(path, error);
  } finally {
    store?.close();
  }
}

function requireQueue({ path, job }: RunQueue): JobQueue {
  if (job.queue !== undefined) return job.queue;
  throw new MusterError("NO_QUEUE", `${path} is a run of kind ${job.kind}, and has no queue`, {
    next: "Only a job with `kind: queue` takes tasks while it runs.",
  });
}

function createClosedError(path: string): MusterError {
  return new MusterError("QUEUE_CLOSED", `the queue of ${path} is closed`, {
    next: "Start a new run beside it with --fresh, and add the tasks to that one.",
  });
}
