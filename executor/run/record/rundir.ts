import { createHash, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { SignedAttemptIds } from "../agent/signedids.js";
import { findDamage } from "./damage.js";
import { explainDiskError } from "./diskerror.js";
import { copyFileWithMode, intersectModes } from "./filemode.js";
import { findIdentityChanges, generateSalt, hashEnvValues } from "./jobidentity.js";
import { Journal } from "./journal.js";
import { RunReplay } from "./replay.js";
import { recoverResults } from "./resultsrecovery.js";
import { openRunKey } from "./runkey.js";
import { acquireRunLock, createOtherRunError, type LockedJournal } from "./runlock.js";
import { removeUncommitted } from "./uncommitted.js";

/** How much of each of stdout and stderr of a chunk is kept in logs/; the agent cuts what is longer. */
export const MAX_LOG_BYTES = 16 << 20;

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
  journal: Journal;
  replay: RunReplay;
  session: number;
  /** Whether every unit of the job is committed. */
  isComplete: boolean;
  /** Seconds since the session began. */
  elapsedSeconds(): number;
  close(): void;
}

/** How a run directory is opened. `inputs`: staged path -> SHA-256. `adopt`: the run gets a new id. */
export interface RunDirectoryOptions {
  job: Job;
  inputs: Record<string, string>;
  adopt: boolean;
}

/**
 * Opens the run directory of a job, and creates it if there is none. Rejects with OTHER_RUN (65) if it belongs to another job or to other
 * inputs, with what differs; with JOURNAL_DAMAGED or RESULTS_DAMAGED (65); with HELD (75) if another process holds it; and with DISK (3)
 * if it cannot be written.
 */
export async function openRunDirectory(path: string, purpose: RunDirectoryOptions): Promise<RunDirectory> {
  let claimed: LockedJournal | undefined;
  try {
    const { file, envFile } = purpose.job;
    claimed = acquireRunLock(path, intersectModes([file, ...(envFile === undefined ? [] : [envFile])]));
    return await open(path, claimed, purpose);
  } catch (error) {
    if (claimed !== undefined) closeSync(claimed.fd);
    throw explainDiskError(path, error);
  }
}

async function open(
  path: string,
  { fd, file }: LockedJournal,
  { job, inputs, adopt }: RunDirectoryOptions,
): Promise<RunDirectory> {
  const past = new RunReplay();
  let records = 0;
  const journal = Journal.resume(fd, file, (entry) => {
    records++;
    past.apply(entry);
  });
  if (past.header === undefined && records > 0) throw createOtherRunError(path, "a run of a pipeline");
  if (past.header !== undefined) rejectOtherRun(path, findIdentityChanges(past.header, job, inputs));
  const { nextSession: session } = past;
  const began = performance.now();
  const elapsed = () => Math.round(performance.now() - began) / 1000;
  const key = openRunKey(path);
  if (past.header === undefined) {
    copyFileWithMode(job.file, join(path, "job.yaml"));
    const [id, salt] = [generateRunId(job), generateSalt()];
    const identity = hashEnvValues(job.identity, salt);
    journal.add({ e: "run", id, name: job.name, salt, identity, inputs, units: `${job.units}` });
    past.ids.push(id);
  } else if (adopt) {
    const id = generateRunId(job);
    journal.add({ e: "adopt", id });
    past.ids.push(id);
  }
  mkdirSync(join(path, "results"), { recursive: true });
  mkdirSync(join(path, "logs"), { recursive: true });
  const isComplete = past.isComplete && past.committedUnits.size() === job.units;
  if (!isComplete) {
    await recoverResults(join(path, "results.ndjson"), past, job);
    if (past.header !== undefined) removeUncommitted(join(path, "results"), past, job);
  }
  if (past.header !== undefined) rejectDamaged(path, await findDamage(path, job, past.committedUnits));
  const nonce = randomBytes(8).toString("hex");
  if (!isComplete) {
    const at = new Date().toISOString();
    journal.add({ e: "open", session, nonce, pid: process.pid, host: hostname(), at });
  }
  await journal.flush();
  if (past.header === undefined) for (const folder of [path, dirname(path)]) syncFolder(folder);
  const nonces = [...past.nonces, nonce];
  const ids = new SignedAttemptIds({ job, nonce, nonces, key, spec: hashSpec(job, inputs) });
  const [id, formerIds] = [past.ids.at(-1)!, past.ids.slice(0, -1)];
  const close = () => journal.close();
  return {
    path,
    id,
    formerIds,
    nonce,
    nonces,
    ids,
    journal,
    replay: past,
    session,
    isComplete,
    elapsedSeconds: elapsed,
    close,
  };
}

function generateRunId(job: Job): string {
  return `${job.name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 64)}-${randomBytes(6).toString("hex")}`;
}

/** Returns a hash of everything that chunks are computed from. All coordinators of one run directory have the same. */
function hashSpec(job: Job, inputs: Record<string, string>): string {
  const text = JSON.stringify([job.identity, Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash("sha256").update(text).digest("hex");
}

function rejectDamaged(path: string, damage: string | undefined): void {
  if (damage === undefined) return;
  throw new MusterError("RESULTS_DAMAGED", `${path}: ${damage}`, {
    next: "Restore what was there, or start a new run beside this one with --fresh.",
  });
}

/** Makes the names in a folder durable. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  fsyncSync(fd);
  closeSync(fd);
}

function rejectOtherRun(path: string, differs: string[]): void {
  if (differs.length === 0) return;
  const shown = differs.slice(0, 10).map((line) => `\n    ${line}`);
  const more = differs.length > 10 ? `\n    and ${differs.length - 10} more` : "";
  throw createOtherRunError(path, `a run of another job or of other inputs:${shown.join("")}${more}`);
}
