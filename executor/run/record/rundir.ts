import { createHash, randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import { fsyncPath } from "../../../schemas/filewrites.js";
import type { Job } from "../../job/job.js";
import { SignedAttemptIds } from "../agent/signedids.js";
import { type QueueChange, QueueFollower } from "../queue/queuefollower.js";
import { rejectOtherQueue, rejectUnknownParams } from "../queue/queueowner.js";
import { QueueStore } from "../queue/queuestore.js";
import { checkForDamage, type ResultsCheck } from "./damage.js";
import { explainDiskError } from "./diskerror.js";
import { finishReplacing, listEditedInputs } from "./editedinputs.js";
import { type FileContent, hashInputs } from "./filehashes.js";
import { copyFileWithMode, intersectModes } from "./filemode.js";
import { rejectForeignFiles } from "./foreignfiles.js";
import { findIdentityChanges, generateSalt, hashEnvValues } from "./jobidentity.js";
import { Journal } from "./journal.js";
import type { JournalEntry } from "./journalentry.js";
import { RunReplay } from "./replay.js";
import { locateResults, type ResultsFolder } from "./resultsfolder.js";
import { recoverResults } from "./resultsrecovery.js";
import { openRunKey } from "./runkey.js";
import { acquireRunLock, createOtherRunError, type LockedJournal, rejectOtherRun } from "./runlock.js";
import { createSnapshot, findChangedFiles, openSnapshot, type ProjectSnapshot } from "./snapshot.js";
import { removeUncommitted } from "./uncommitted.js";

/** How much of each of stdout and stderr of a chunk is kept in logs/; the agent cuts what is longer. */
export const MAX_LOG_BYTES = 16 << 20;

const PRIVATE_MODE = 0o600;

/** An open run directory. This process holds its lock until `close`. */
export interface RunDirectory {
  path: string;
  /** The id of the run, on the nodes too. */
  id: string;
  /** The ids that the run had before it was adopted. Agents with these ids belong to another copy. */
  formerIds: readonly string[];
  /** The nonce of this coordinator. It is on disk before the coordinator attaches to any agent. */
  nonce: string;
  /** The nonces of all coordinators in the journal, this one included. */
  nonces: readonly string[];
  ids: SignedAttemptIds;
  /** The project's files as the run began with them; undefined where there are none. */
  snapshot: ProjectSnapshot | undefined;
  /** Files of the project that have changed since the run began. */
  changedFiles: readonly string[];
  journal: Journal;
  replay: RunReplay;
  results: ResultsFolder;
  /** The queue of the job; undefined for jobs of other kinds. */
  queue: OpenedQueue | undefined;
  session: number;
  /** Whether every unit of the job is committed. */
  isComplete: boolean;
  /** Seconds since the session began. */
  elapsedSeconds(): number;
  close(): void;
}

/** A queue as it was when its run was opened, and what reads on. */
export interface OpenedQueue {
  readonly follower: QueueFollower;
  readonly changes: readonly QueueChange[];
}

/** What collecting results needs of a run directory. */
export type CollectingDirectory = Pick<
  RunDirectory,
  "path" | "journal" | "replay" | "results" | "session" | "elapsedSeconds"
>;

/** How a run directory is opened. `contents`: of every staged file; those of a queue are added. `adopt`: the run gets a new id. */
export interface RunDirectoryOptions {
  job: Job;
  contents: Map<string, FileContent>;
  adopt: boolean;
}

/**
 * Opens the run directory of a job, and creates it if there is none. Rejects with OTHER_RUN (65) if it belongs to another job or to other
 * inputs, with what differs; with JOURNAL_DAMAGED or RESULTS_DAMAGED (65); with HELD (75) if another process holds it; with
 * RESULTS_EXIST (65) if it would publish over files of others; and with DISK (3) if it cannot be written.
 */
export async function openRunDirectory(path: string, options: RunDirectoryOptions): Promise<RunDirectory> {
  let lock: LockedJournal | undefined;
  try {
    if (!existsSync(path)) {
      const replay = new RunReplay();
      await rejectForeignFiles(options.job, locateResults(path, "", options.job, replay), replay, path);
    }
    lock = acquireRunLock(path, determineMode(options.job));
    return await open(path, lock, options);
  } catch (error) {
    if (lock !== undefined) closeSync(lock.fd);
    throw explainDiskError(path, error, options.job.results?.folder);
  }
}

async function open(path: string, lock: LockedJournal, options: RunDirectoryOptions): Promise<RunDirectory> {
  const { job } = options;
  const { journal, replay } = resumeJournal(path, lock);
  const isNew = replay.header === undefined;
  if (isNew) {
    rejectOtherQueue(path, job);
    if (job.queue !== undefined) await QueueStore.create(path, job.file);
  }
  const queue = readQueue(path, job, options.contents, replay);
  if (isNew && queue !== undefined) rejectUnknownParams(path, job, queue.changes);
  const snapshot = await openProject(path, job, replay);
  const inputs = hashInputs(job, options.contents, (name) => snapshot?.has(name) === true);
  const located = locateResults(path, replay.ids.at(-1) ?? "", job, replay);
  if (replay.header !== undefined) {
    if (replay.hasReplacedSources)
      for (const file of listEditedInputs(job, located)) inputs[file.path] = replay.header.inputs[file.path] ?? "";
    rejectOtherRun(path, findIdentityChanges(replay.header, job, inputs));
  }
  const began = performance.now();
  const key = openRunKey(path);
  identifyRun(path, journal, replay, { ...options, inputs, snapshot });
  const results = locateResults(path, replay.ids.at(-1)!, job, replay);
  const isComplete = replay.isComplete && replay.committedUnits.size() === job.units;
  if (!isComplete) await removeUnjournaledResults(path, journal, job, replay, results);
  if (replay.hasReplacedSources) finishReplacing(job, results);
  if (!isNew)
    rejectDamaged(
      path,
      await checkForDamage(path, job, replay.committedUnits, results),
      findFormerResults(replay, results),
    );
  if (!isComplete) await rejectForeignFiles(job, results, replay, path);
  for (const folder of [results.path, join(path, "logs")]) mkdirSync(folder, { recursive: true });
  const session = replay.nextSession;
  const nonce = randomBytes(8).toString("hex");
  if (!isComplete) journal.add(createOpenEntry(session, nonce));
  await journal.flush();
  if (isNew) for (const folder of [path, dirname(path)]) fsyncPath(folder);
  const nonces = [...replay.nonces, nonce];
  return {
    path,
    id: replay.ids.at(-1)!,
    formerIds: replay.ids.slice(0, -1),
    nonce,
    nonces,
    snapshot,
    changedFiles: isNew || snapshot === undefined ? [] : findChangedFiles(job, snapshot),
    ids: new SignedAttemptIds({ job, nonce, nonces, key, spec: hashSpec(job, inputs, snapshot) }),
    journal,
    replay,
    results,
    queue,
    session,
    isComplete,
    elapsedSeconds: () => Math.round(performance.now() - began) / 1000,
    close: () => journal.close(),
  };
}

/** Reads the tasks that the queue of a job has so far, which the job then has, too. */
export function readQueue(
  path: string,
  job: Job,
  contents: Map<string, FileContent>,
  { cancelledUnits }: RunReplay,
): OpenedQueue | undefined {
  if (job.queue === undefined) return undefined;
  const follower = new QueueFollower(path, job, contents);
  const changes = follower.read();
  job.queue.setCancelled(cancelledUnits.size());
  return { follower, changes };
}

/** Opens the journal for writing and replays it. Throws OTHER_RUN (65) if it is the journal of a pipeline. */
function resumeJournal(path: string, { fd, file }: LockedJournal): { journal: Journal; replay: RunReplay } {
  const replay = new RunReplay();
  let records = 0;
  const journal = Journal.resume(fd, file, (entry) => {
    records++;
    replay.apply(entry);
  });
  if (replay.header === undefined && records > 0) throw createOtherRunError(path, "a run of a pipeline");
  return { journal, replay };
}

/** What the first record of a journal is made from. */
interface RunIdentity extends RunDirectoryOptions {
  inputs: Record<string, string>;
  snapshot: ProjectSnapshot | undefined;
}

/**
 * Takes the snapshot of a new run, or opens that of an older one. Returns undefined where there is no project, and for runs that
 * began before projects did.
 */
async function openProject(path: string, job: Job, replay: RunReplay): Promise<ProjectSnapshot | undefined> {
  if (replay.header === undefined) return job.project && createSnapshot(job.project, job.folders, path);
  const { project } = replay.header;
  return project && (await openSnapshot(path, project.id, project.folders));
}

/** Journals the id of a new or adopted run and adds it to `replay`. A new run also gets a copy of the job file. */
function identifyRun(path: string, journal: Journal, replay: RunReplay, options: RunIdentity): void {
  const { job, inputs, snapshot, adopt } = options;
  if (replay.header !== undefined && !adopt) return;
  const id = generateRunId(job);
  if (replay.header === undefined) {
    keepJobFile(job, join(path, "job.yaml"));
    const salt = generateSalt();
    const identity = hashEnvValues(job.identity, salt);
    const units = `${job.units}`;
    const project = snapshot && { id: snapshot.id, folders: snapshot.folders };
    const results = job.results && { results: job.results.folder, overwrite: job.results.overwrite };
    const { name, origin } = job;
    journal.add({ e: "run", id, name, salt, identity, inputs, project, units, ...results, origin });
  } else {
    journal.add({ e: "adopt", id });
  }
  replay.ids.push(id);
}

/** Returns the permissions of a run directory's files that repeat what the job says: a job that is no file is its owner's alone. */
function determineMode({ file, content, envFile }: Job): number {
  if (content !== undefined) return PRIVATE_MODE;
  return intersectModes([file, ...(envFile === undefined ? [] : [envFile])]);
}

function keepJobFile({ file, content }: Job, copy: string): void {
  if (content === undefined) return copyFileWithMode(file, copy);
  rmSync(copy, { force: true });
  writeFileSync(copy, `${content}\n`, { mode: PRIVATE_MODE });
}

/** Removes results that an earlier coordinator wrote but did not journal. Rejects with RESULTS_DAMAGED (65). */
export async function removeUnjournaledResults(
  path: string,
  journal: Journal,
  job: Job,
  replay: RunReplay,
  results: ResultsFolder,
): Promise<void> {
  await recoverResults(join(path, "results.ndjson"), replay, job);
  if (replay.header === undefined) return;
  await removeUncommitted(results, replay, job);
  // From now on another chunk may have these names, perhaps with the same content.
  for (const [chunk, files] of replay.pendingPublications)
    if (files.length > 0) journal.add({ e: "publishing", chunk, files: [] });
}

function createOpenEntry(session: number, nonce: string): JournalEntry {
  return { e: "open", session, nonce, pid: process.pid, host: hostname(), at: new Date().toISOString() };
}

function generateRunId(job: Job): string {
  return `${job.name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 64)}-${randomBytes(6).toString("hex")}`;
}

/**
 * Returns a hash of everything that chunks are computed from. All coordinators of one run directory have the same. `snapshot`: its id,
 * where there is one.
 */
export function hashSpec(job: Job, inputs: Record<string, string>, snapshot: { id: string } | undefined): string {
  const sorted = Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([job.identity, sorted, ...(snapshot === undefined ? [] : [snapshot.id])]);
  return createHash("sha256").update(text).digest("hex");
}

/** Returns what to add to a command that publishes results elsewhere than the run began to; undefined = it does not. */
function findFormerResults({ header }: RunReplay, { path, isShared }: ResultsFolder): string | undefined {
  if (header === undefined || header.results === (isShared ? path : undefined)) return undefined;
  return header.results === undefined
    ? "The run began with its results in the run directory: continue it without --results and `results`."
    : `The run began with its results in ${header.results}: continue it with --results ${header.results}.`;
}

/** Throws RESULTS_DAMAGED (65) where a check has found damage. `formerResults`: the next action, where results may lie elsewhere. */
export function rejectDamaged(path: string, results: ResultsCheck, formerResults?: string): void {
  if (results.ok) return;
  throw new MusterError("RESULTS_DAMAGED", `${path}: ${results.damage}`, {
    next: formerResults ?? "Restore what was there, or start a new run beside this one with --fresh.",
  });
}
