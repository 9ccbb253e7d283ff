import { randomBytes } from "node:crypto";
import { closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import type { Job } from "../job/job.js";
import { explainDisk } from "./disk.js";
import { Journal, readEntries } from "./journal.js";
import { keepCommitted } from "./kept.js";
import { takeLock } from "./lock.js";
import { differences, Past } from "./past.js";

/** The folder of one run: held by this process alone until `close`. */
export interface RunDirectory {
  path: string;
  /** Names the run, on the nodes too. */
  id: string;
  journal: Journal;
  past: Past;
  session: number;
  close(): void;
}

/** Where a job's run directory is: `out`, else runs/NAME beside the job file. With `fresh`, the next free name beside it. */
export function runPath(job: Job, out: string | undefined, fresh: boolean): string {
  const path = out ?? join(job.folder, "runs", job.name);
  if (!fresh || !existsSync(path)) return path;
  for (let n = 2; ; n++) if (!existsSync(`${path}-${n}`)) return `${path}-${n}`;
}

/**
 * Opens the run directory of a job, making it where there is none. Refuses (65) one that is for another job or other inputs,
 * saying what differs, one that another process holds (75), naming it, and (3) one that cannot be written. `inputs`: staged path -> SHA-256.
 */
export async function openRunDirectory(path: string, job: Job, inputs: Record<string, string>): Promise<RunDirectory> {
  let fd: number | undefined;
  try {
    const file = join(path, "journal.ndjson");
    mkdirSync(path, { recursive: true });
    fd = openSync(file, "a+", 0o644);
    if (!takeLock(fd)) throw held(path, fd, file);
    return await open(path, fd, file, job, inputs);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw explainDisk(path, error);
  }
}

async function open(
  path: string,
  fd: number,
  file: string,
  job: Job,
  inputs: Record<string, string>,
): Promise<RunDirectory> {
  const past = new Past();
  const journal = Journal.resume(fd, file, (entry) => past.see(entry));
  const session = past.session;
  let id = past.run?.id;
  if (past.run !== undefined) refuseOther(path, differences(past.run, job, inputs));
  if (id === undefined) {
    id = `${job.name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 64)}-${randomBytes(6).toString("hex")}`;
    copyFileSync(job.file, join(path, "job.yaml"));
    journal.add({ e: "run", id, name: job.name, identity: job.identity, inputs, units: `${job.units}` });
  }
  mkdirSync(join(path, "results"), { recursive: true });
  if (!past.complete) await keepCommitted(join(path, "results.ndjson"), past, job);
  mkdirSync(join(path, "logs"), { recursive: true });
  if (!past.complete)
    journal.add({ e: "open", session, pid: process.pid, host: hostname(), at: new Date().toISOString() });
  await journal.flush();
  if (past.run === undefined) for (const folder of [path, dirname(path)]) syncFolder(folder);
  return { path, id, journal, past, session, close: () => journal.close() };
}

/** The names in a folder are on disk after that. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  fsyncSync(fd);
  closeSync(fd);
}

function refuseOther(path: string, differs: string[]): void {
  if (differs.length === 0) return;
  const shown = differs.slice(0, 10).map((line) => `\n    ${line}`);
  const more = differs.length > 10 ? `\n    and ${differs.length - 10} more` : "";
  throw new MusterError(
    "OTHER_JOB",
    65,
    `${path} holds a run of another job or of other inputs:${shown.join("")}${more}`,
    {
      next: "Start anew beside it with --fresh, or choose another folder with --out.",
    },
  );
}

function held(path: string, fd: number, file: string): MusterError {
  const past = new Past();
  readEntries(fd, file, (entry) => past.see(entry));
  const by =
    past.holder === undefined
      ? "another muster"
      : `muster process ${past.holder.pid} on ${past.holder.host}, since ${past.holder.at}`;
  return new MusterError("HELD", 75, `${path} is held by ${by}`, {
    next: "Wait for it to end, or stop it; two coordinators never share a run directory.",
  });
}
