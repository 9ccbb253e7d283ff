import { randomBytes } from "node:crypto";
import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { Job } from "../../job/job.js";
import { explainDisk } from "../results/disk.js";
import { type Claim, claim, otherRun } from "./claim.js";
import { Journal } from "./journal.js";
import { keepCommitted } from "./kept.js";
import { differences, Past } from "./past.js";
import { removeUncommitted } from "./uncommitted.js";

/** The folder of one run: held by this process alone until `close`. */
export interface RunDirectory {
  path: string;
  /** Names the run, on the nodes too. */
  id: string;
  journal: Journal;
  past: Past;
  session: number;
  /** Seconds since the session began. */
  elapsed(): number;
  close(): void;
}

/**
 * Opens the run directory of a job, making it where there is none. Refuses (65) one that is for another job or other inputs,
 * saying what differs, one that another process holds (75), naming it, and (3) one that cannot be written. `inputs`: staged path -> SHA-256.
 */
export async function openRunDirectory(path: string, job: Job, inputs: Record<string, string>): Promise<RunDirectory> {
  let claimed: Claim | undefined;
  try {
    claimed = claim(path);
    return await open(path, claimed, job, inputs);
  } catch (error) {
    if (claimed !== undefined) closeSync(claimed.fd);
    throw explainDisk(path, error);
  }
}

async function open(
  path: string,
  { fd, file }: Claim,
  job: Job,
  inputs: Record<string, string>,
): Promise<RunDirectory> {
  const past = new Past();
  let records = 0;
  const journal = Journal.resume(fd, file, (entry) => {
    records++;
    past.see(entry);
  });
  if (past.run === undefined && records > 0) throw otherRun(path, "a run of a pipeline");
  const session = past.session;
  const began = performance.now();
  const elapsed = () => Math.round(performance.now() - began) / 1000;
  let id = past.run?.id;
  if (past.run !== undefined) refuseOther(path, differences(past.run, job, inputs));
  if (id === undefined) {
    id = `${job.name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 64)}-${randomBytes(6).toString("hex")}`;
    copyFileSync(job.file, join(path, "job.yaml"));
    journal.add({ e: "run", id, name: job.name, identity: job.identity, inputs, units: `${job.units}` });
  }
  mkdirSync(join(path, "results"), { recursive: true });
  if (!past.complete) {
    await keepCommitted(join(path, "results.ndjson"), past, job);
    if (records > 0) removeUncommitted(join(path, "results"), past, job);
  }
  mkdirSync(join(path, "logs"), { recursive: true });
  if (!past.complete)
    journal.add({ e: "open", session, pid: process.pid, host: hostname(), at: new Date().toISOString() });
  await journal.flush();
  if (past.run === undefined) for (const folder of [path, dirname(path)]) syncFolder(folder);
  return { path, id, journal, past, session, elapsed, close: () => journal.close() };
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
  throw otherRun(path, `a run of another job or of other inputs:${shown.join("")}${more}`);
}
