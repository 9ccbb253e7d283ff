import { InvalidFileError, MusterError, type Problem } from "../../../schemas/errors.js";
import type { Source } from "../../../schemas/source.js";
import type { Job } from "../../job/job.js";
import type { JobQueue } from "../../job/queue/jobqueue.js";
import { explainDiskError } from "../record/diskerror.js";
import { keepFiles } from "./keepfiles.js";
import { listTaskFiles, storeTask } from "./queuerecord.js";
import { QueueStore } from "./queuestore.js";

/** A queue of a run: its run directory, and its job. */
export interface RunQueue {
  readonly path: string;
  readonly job: Job;
}

/** The result of adding tasks. `known`: those that the queue had already; `accepted`: all that it has now. */
export interface AddedTasks {
  readonly added: number;
  readonly known: number;
  readonly accepted: number;
}

/**
 * Adds tasks to the queue of a run, whether its coordinator is alive or not, and before its first one. `tasks`: the result of `parseTasks`.
 * They are on disk, with copies of the files that they name, when this resolves: all of them, or none. A task that the queue has already
 * is no change. Rejects with NO_QUEUE (65) for jobs of another kind, QUEUE_CLOSED (65) for a new task where the queue is closed, INVALID_FILE (65) with
 * every problem, also for an id that the queue has with another content; with HELD (75), JOURNAL_DAMAGED (65) and disk errors.
 */
export async function addTasks({ path, job }: RunQueue, tasks: Source): Promise<AddedTasks> {
  const read = requireQueue({ path, job }).read(tasks);
  const kept = await keepFiles(path, read.flatMap(listTaskFiles)).catch((error) => {
    throw explainDiskError(path, error);
  });
  return withStore({ path, job }, async (store) => {
    const problems: Problem[] = [];
    const fresh = read.flatMap((task, index) => {
      const stored = storeTask(task, kept);
      const membership = store.membershipOf(stored);
      if (membership === "other") problems.push(describeOtherTask(tasks, index, task.id));
      return membership === "new" ? [stored] : [];
    });
    if (problems.length > 0) throw new InvalidFileError(problems);
    if (fresh.length > 0 && store.isClosed) throw createClosedError(path);
    if (fresh.length > 0) await store.append({ e: "tasks", at: new Date().toISOString(), tasks: fresh });
    return { added: fresh.length, known: read.length - fresh.length, accepted: store.taskCount };
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
 * Asks for the cancellation of tasks: those that have no result by then will have none, and those that run are stopped. Rejects with USAGE
 * (64) for an id that the queue does not have, and as addTasks does.
 */
export async function cancelTasks(queue: RunQueue, ids: readonly string[]): Promise<void> {
  requireQueue(queue);
  await withStore(queue, async (store) => {
    const unknown = ids.find((id) => !store.has(id));
    if (unknown !== undefined)
      throw new MusterError("USAGE", `the queue of ${queue.path} has no task "${unknown}"`, {
        next: "Check its id: `muster logs` and results.ndjson name tasks by their ids.",
      });
    await store.append({ e: "cancel", at: new Date().toISOString(), ids });
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

function describeOtherTask(source: Source, index: number, id: string): Problem {
  const message = `the queue has a task "${id}" already, with another content`;
  return { ...source.positionOf(["tasks", index, "id"]), message, hint: "give the new one its own id" };
}
