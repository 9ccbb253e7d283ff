import { closeSync, existsSync, openSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { isFileLocked } from "../../../fleet/filelock.js";
import { type LiveRun, readLastLiveRun } from "./liverun.js";
import { findRuns, hasJournal } from "./runstatus.js";

/** A run of a job whose coordinator is alive. `label`: "sieve", or of a pipeline's step "analysis/trials". */
export interface ActiveRun {
  label: string;
  path: string;
  live: LiveRun;
}

/** Finds what runs in a folder: itself, or else the runs in it, or else those in its `runs`. Reads no journal. */
export function findActiveRuns(folder: string): ActiveRun[] {
  return findRuns(folder).flatMap((path) => findJobs(path, basename(path)));
}

function findJobs(path: string, label: string): ActiveRun[] {
  const live = readLastLiveRun(path);
  if (live !== undefined) return isLocked(path) ? [{ label, path, live }] : [];
  return existsSync(join(path, "pipeline.yaml")) ? findSteps(path, label) : [];
}

/** A step's run is in a folder with the step's name; of a step with repetitions, a level deeper. */
function findSteps(path: string, label: string): ActiveRun[] {
  return listFolders(path).flatMap((step) => {
    const inner = join(path, step);
    if (hasJournal(inner)) return findJobs(inner, `${label}/${step}`);
    const repetitions = listFolders(inner).filter((folder) => hasJournal(join(inner, folder)));
    return repetitions.flatMap((folder) => findJobs(join(inner, folder), `${label}/${step}/${folder}`));
  });
}

function listFolders(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return []; // it was removed meanwhile, or is not ours to read
  }
}

function isLocked(path: string): boolean {
  try {
    const fd = openSync(join(path, "journal.ndjson"), "r");
    try {
      return isFileLocked(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // it was removed meanwhile
  }
}
