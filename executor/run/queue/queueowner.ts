import { closeSync, existsSync, openSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { readFirstEntries } from "../record/journal.js";
import { createOtherRunError } from "../record/runlock.js";
import type { QueueChange } from "./queuefollower.js";
import { QUEUE_FILE, type QueueRecord } from "./queuerecord.js";

/** Returns the job file that the queue of the run directory `path` names; undefined where there is no queue. */
export function readQueueOwner(path: string): string | undefined {
  const file = join(path, QUEUE_FILE);
  if (!existsSync(file)) return undefined;
  const fd = openSync(file, "r");
  try {
    const [first] = readFirstEntries(fd) as unknown as QueueRecord[];
    return first?.e === "queue" ? first.job : undefined;
  } finally {
    closeSync(fd);
  }
}

/**
 * Throws OTHER_RUN (65) where the run directory `path`, whose run has not begun, has a queue that was made for another job: its tasks would
 * be run by another program.
 */
export function rejectOtherQueue(path: string, job: Job): void {
  const owner = readQueueOwner(path);
  if (owner === undefined) return;
  if (job.queue === undefined)
    throw createOtherRunError(path, `the queue of ${owner}, and this job is of kind ${job.kind}`);
  if (isSameFile(owner, job.file) || hasMoved(owner, path, job)) return;
  throw new MusterError("OTHER_RUN", `${path} holds the queue of ${owner}, not of ${job.file}`, {
    next: "Give one of the jobs another name, or name another folder with --out.",
  });
}

/** Whether the job file was renamed, or its folder moved or copied together with the run directory. */
function hasMoved(owner: string, path: string, job: Job): boolean {
  return !existsSync(owner) || (basename(owner) === basename(job.file) && path === join(job.folder, "runs", job.name));
}

function isSameFile(one: string, other: string): boolean {
  return one === other || (existsSync(other) && existsSync(one) && realpathSync(one) === realpathSync(other));
}

/**
 * Throws OTHER_RUN (65) where a task that is queued has a value for a parameter that the job does not have (any more): it would run with
 * other values than it was added with. `changes`: of the whole queue, which the job has. Cancelled tasks are left out.
 */
export function rejectUnknownParams(path: string, job: Job, changes: readonly QueueChange[]): void {
  const cancelled = new Set(changes.flatMap((change) => (change.type === "cancelled" ? [change.unit] : [])));
  const known = new Set(Object.keys(job.params));
  for (let unit = 0n; unit < (job.queue?.accepted ?? 0n); unit++) {
    const { id, params = {} } = job.chunk(unit, unit + 1n);
    const name = cancelled.has(unit) ? undefined : Object.keys(params).find((one) => !known.has(one));
    if (name === undefined) continue;
    throw new MusterError(
      "OTHER_RUN",
      `${path}: the task "${id}" has the parameter "${name}", which ${job.file} does not have`,
      {
        next: `Add it to \`params\` of the job with its usual value, or cancel the task: muster cancel ${path} --task ${id}`,
      },
    );
  }
}
