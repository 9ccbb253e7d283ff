import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { MusterError, UsageError } from "../../../schemas/errors.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { readTextFile } from "../../../schemas/textfile.js";
import type { Job } from "../../job/job.js";
import { type JobOptions, loadJob } from "../../job/loadjob.js";
import { findIdentityChanges, hashEnvValues } from "../record/jobidentity.js";
import { readFirstEntries } from "../record/journal.js";
import type { JournalEntry } from "../record/journalentry.js";
import { loadRecordedJob } from "../record/recordedjob.js";
import { replayRun } from "../record/replay.js";
import { createOtherRunError, rejectOtherRun, resolveRunPath } from "../record/runlock.js";
import type { RunQueue } from "./addtasks.js";
import { readQueueOwner, rejectOtherQueue } from "./queueowner.js";
import { QUEUE_FILE } from "./queuerecord.js";

type RunEntry = Extract<JournalEntry, { e: "run" }>;

/** Whether a folder has a queue: of a run, or of one that is still to begin. */
export function hasQueue(path: string): boolean {
  return existsSync(join(path, QUEUE_FILE));
}

/**
 * Returns the queue of the run directory `path`, whose run may still have to begin. Rejects with NO_QUEUE (65) where it is that of another
 * kind of job, and as loadJob does.
 */
export async function openRunQueue(path: string): Promise<RunQueue> {
  const header = readHeader(path);
  if (header !== undefined) return requireQueue({ path, job: await loadRecordedJob(path, header, undefined) });
  const file = readQueueOwner(path);
  if (file === undefined)
    throw new MusterError("NO_QUEUE", `${path} has no queue`, {
      next: "Name the job file instead: muster add JOB.yaml TASKS makes its run directory.",
    });
  return requireQueue({ path, job: loadJob(file) });
}

/**
 * Returns the queue of the run that `muster run FILE` begins or resumes. `out`: its `--out`, absolute. Rejects as openRunQueue does, and with
 * OTHER_RUN (65) where its run directory is that of another job.
 */
export async function openJobQueue(file: string, out: string | undefined): Promise<RunQueue> {
  const load = (options: JobOptions) => loadJob(parseSource(file, readTextFile(file)), options);
  const job = load({});
  const path = resolveRunPath(job, out, false);
  requireQueue({ path, job });
  const header = existsSync(path) ? readHeader(path) : undefined;
  if (header === undefined) {
    rejectOtherQueue(path, job);
    return { path, job };
  }
  const queue = await openRunQueue(path);
  // Both are loaded without the inventory, which the journal's identity depends on.
  const begun = { ...header, identity: hashEnvValues(queue.job.identity, header.salt ?? "") };
  rejectOtherRun(path, findIdentityChanges(begun, loadAsBegun(load, path, header), header.inputs));
  return queue;
}

/** Loads the job of a file as its run began: with the parameters of its command line. Throws OTHER_RUN (65) where the job does not have them. */
function loadAsBegun(load: (options: JobOptions) => Job, path: string, { origin }: RunEntry): Job {
  try {
    return load({ set: origin?.set });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw createOtherRunError(path, `a run of another job: ${error.message}`);
  }
}

function requireQueue(queue: { path: string; job: Job }): RunQueue {
  if (queue.job.queue !== undefined) return queue;
  throw new MusterError("NO_QUEUE", `${queue.path}: a job of kind ${queue.job.kind} has no queue`, {
    next: "Only a job with `kind: queue` takes tasks while it runs.",
  });
}

/** Returns the first record of the journal of a run; undefined where it has not begun. Rejects with NO_QUEUE (65) for a pipeline. */
function readHeader(path: string): RunEntry | undefined {
  const file = join(path, "journal.ndjson");
  if (!existsSync(file)) return undefined;
  const [first] = readFirst(file);
  if (first?.e === "run") return first as RunEntry;
  if (first?.e === "pipeline")
    throw new MusterError("NO_QUEUE", `${path} is the run of a pipeline`, { next: `Name a step: ${path}/STEP.` });
  // A very long first record does not fit into what was read.
  return replayRun(path).header;
}

function readFirst(file: string): { e: string }[] {
  const fd = openSync(file, "r");
  try {
    return readFirstEntries(fd);
  } finally {
    closeSync(fd);
  }
}
