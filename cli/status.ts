import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type AnyRunStatus, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { createEmptyStatus, findRuns } from "../executor/run/record/runstatus.js";
import { buildRunsDocument, formatRunStatus, formatRunsTable } from "../report/statustext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import type { CommonOptions } from "./options.js";
import { findRunDirectory } from "./rundirectory.js";

/**
 * `muster status [DIR]`: how the runs under a folder stand (its own `runs`, or the folder itself), or one run. From the run
 * directories alone; nothing is contacted or changed. Answers 0.
 */
export async function status(place: string | undefined, options: CommonOptions, writers: Writers): Promise<number> {
  const folder = place === undefined ? process.cwd() : findRunsFolder(place);
  const paths = findRuns(folder);
  const now = Date.now();
  const runs = paths.flatMap((path) => readStatusOrNothing(path, now));
  const isOne = paths.length === 1 && paths[0] === resolve(folder);
  if (options.json) writers.out(formatJson(isOne ? runs[0] : buildRunsDocument(runs), 2));
  else writers.out(isOne ? formatRunStatus(runs[0]!, now) : formatRunsTable(runs, now));
  return 0;
}

/** One run; none where it has been removed meanwhile. One that this user may not read does not hide the others. */
function readStatusOrNothing(path: string, now: number): AnyRunStatus[] {
  try {
    return [readAnyRunStatus(path, now)];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === undefined) throw error;
    return [{ ...createEmptyStatus(path), state: "damaged", reason: `it cannot be read (${code})` }];
  }
}

/** A folder that has runs in it, or the name of a run. */
function findRunsFolder(place: string): string {
  if (findRuns(place).length > 0) return place;
  const run = findRunDirectory(place);
  if (run !== undefined) return run;
  if (existsSync(place)) return place;
  throw new UsageError(`${place}: there is no such folder, and no run of that name in ./runs`);
}
