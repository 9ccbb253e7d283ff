import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readlinkSync, realpathSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLockFile } from "../../../fleet/filelock.js";
import { MusterError } from "../../../schemas/errors.js";
import { restrictMode } from "./filemode.js";
import { Journal, readEntries } from "./journal.js";
import { rejectSpecialFiles } from "./specialfiles.js";

/** How long a coordinator may take to exit after SIGTERM. */
const COORDINATOR_EXIT_TIMEOUT_SECONDS = 60;

/** Returns `out`, or else runs/NAME beside the file of a job or pipeline. With `fresh`: the first free name (NAME, NAME-2, ...). */
export function resolveRunPath(of: { folder: string; name: string }, out: string | undefined, fresh: boolean): string {
  const path = out ?? join(of.folder, "runs", of.name);
  if (!fresh || !existsSync(path)) return path;
  for (let n = 2; ; n++) if (!existsSync(`${path}-${n}`)) return `${path}-${n}`;
}

/** Returns the run directory that `--fresh` created last beside `path`; undefined where there is none. */
export function findFreshRun(path: string): string | undefined {
  let last: string | undefined;
  for (let n = 2; existsSync(`${path}-${n}`); n++) last = `${path}-${n}`;
  return last;
}

/** Returns how to continue the run that findFreshRun has found. */
export function describeFreshRun(path: string): string {
  return `${path} was started later, with --fresh. To continue that run, add --out ${path}.`;
}

/** The open journal of a run directory. Its file lock, which is the run lock, holds until `fd` is closed. */
export interface LockedJournal {
  fd: number;
  file: string;
}

/**
 * Opens and locks the journal of the run directory `path`, and creates both if they do not exist. The journal gets no permissions
 * beyond `mode`. Throws HELD (75), which names the holder, if another process has the lock, RESULTS_DAMAGED (65) as rejectSpecialFiles
 * does, and the system's error if the directory cannot be written.
 */
export function acquireRunLock(path: string, mode: number): LockedJournal {
  const file = join(path, "journal.ndjson");
  mkdirSync(path, { recursive: true });
  rejectSpecialFiles(path);
  const fd = openSync(file, "a+", mode);
  restrictMode(fd, mode);
  if (tryLockFile(fd)) return { fd, file };
  const holder = findLastOpen(fd, file);
  closeSync(fd);
  throw createHeldError(
    path,
    holder === undefined ? "another muster" : describeHolder(holder),
    "Follow it with `muster attach`, or stop it with `muster cancel`; two coordinators never share a run directory.",
  );
}

/**
 * Takes the run lock of `path`, from the coordinator that holds it if there is one: that one gets SIGTERM, so it closes its journal
 * and leaves the nodes their work. Calls `onStopping` with its process id before that, and `apply` with every entry of the journal
 * after it. The lock holds until the returned journal is closed. Rejects with HELD (75) if the coordinator runs on another machine
 * or does not exit within 60 s, and with JOURNAL_DAMAGED and RESULTS_DAMAGED (65).
 */
export async function takeOverRunLock<E extends object>(
  path: string,
  apply: (entry: E) => void,
  onStopping: (pid: number) => void,
): Promise<Journal<E>> {
  const file = join(path, "journal.ndjson");
  rejectSpecialFiles(path);
  const fd = openSync(file, "a+");
  try {
    if (!tryLockFile(fd)) await stopHolder(path, { fd, file }, onStopping);
    return Journal.resume<E>(fd, file, apply);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The error for a run directory that cannot be resumed because it holds `what` instead. */
export function createOtherRunError(path: string, what: string): MusterError {
  const newer = findFreshRun(path);
  const next = "Start a new run beside it with --fresh, or choose another folder with --out.";
  return new MusterError("OTHER_RUN", `${path} holds ${what}`, {
    next: newer === undefined ? next : `${describeFreshRun(newer)} ${next}`,
  });
}

/** Throws OTHER_RUN (65) with what differs, one line each, between a job and that of the run directory `path`; nothing where nothing does. */
export function rejectOtherRun(path: string, differs: string[]): void {
  if (differs.length === 0) return;
  const shown = differs.slice(0, 10).map((line) => `\n    ${line}`);
  const more = differs.length > 10 ? `\n    and ${differs.length - 10} more` : "";
  throw createOtherRunError(path, `a run of another job or of other inputs:${shown.join("")}${more}`);
}

async function stopHolder(path: string, { fd, file }: LockedJournal, onStopping: (pid: number) => void): Promise<void> {
  const holder = findLastOpen(fd, file);
  if (holder === undefined) throw createHeldError(path, "another muster, which is still starting", "Try again.");
  const { pid, host } = holder;
  const who = describeHolder(holder);
  if (host !== hostname() || !hasFileOpen(pid, file))
    throw createHeldError(path, who, `Use \`muster cancel\` there, on ${host}.`);
  onStopping(pid);
  process.kill(pid, "SIGTERM");
  process.kill(pid, "SIGCONT"); // A stopped process handles SIGTERM only once it is continued.
  const deadline = performance.now() + COORDINATOR_EXIT_TIMEOUT_SECONDS * 1000;
  for (; !tryLockFile(fd); await sleep(50))
    if (performance.now() > deadline)
      throw createHeldError(
        path,
        `${who}; it has not ended since it got SIGTERM`,
        `Use \`kill -9 ${pid}\`, then cancel again.`,
      );
}

/** Returns the last coordinator of the run directory `path`, of a job or of a pipeline; undefined where none has opened it. */
export function readLastOpen(path: string): LockHolder | undefined {
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    return findLastOpen(fd, file);
  } finally {
    closeSync(fd);
  }
}

/** The fields of an `open` entry that journals of jobs and of pipelines share. */
export interface LockHolder {
  pid: number;
  host: string;
  at: string;
}

/** Returns the last `open` entry of a journal; undefined if the holder of the lock has not written one yet. */
function findLastOpen(fd: number, file: string): LockHolder | undefined {
  let last: LockHolder | undefined;
  readEntries<LockHolder & { e: string }>(fd, file, (entry) => {
    if (entry.e === "open") last = entry;
  });
  return last;
}

function describeHolder({ pid, host, at }: LockHolder): string {
  return `muster process ${pid} on ${host}, since ${at}`;
}

/** Whether the process has this file open. The pid alone proves nothing: it may be reused, or belong to another container. */
function hasFileOpen(pid: number, file: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    const real = realpathSync(file);
    return readdirSync(folder).some((fd) => readLink(join(folder, fd)) === real);
  } catch {
    return false;
  }
}

/** Returns undefined if the descriptor was closed since the folder was read. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function createHeldError(path: string, by: string, next: string): MusterError {
  return new MusterError("HELD", `${path} is held by ${by}`, { next });
}
