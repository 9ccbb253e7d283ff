import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type AnyStanding, anyStanding } from "../executor/pipeline/standing.js";
import { findRuns, nothing } from "../executor/run/record/standing.js";
import { runsDocument, runsText, runText } from "../report/runs.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { jsonText } from "../schemas/printable.js";
import type { CommonOptions } from "./common.js";
import { runDirectory } from "./directory.js";

/**
 * `muster status [DIR]`: how the runs under a folder stand (its own `runs`, or the folder itself), or one run. From the run
 * directories alone; nothing is contacted or changed. Answers 0.
 */
export async function status(place: string | undefined, options: CommonOptions, writers: Writers): Promise<number> {
  const folder = place === undefined ? process.cwd() : placeOf(place);
  const paths = findRuns(folder);
  const now = Date.now();
  const runs = paths.flatMap((path) => standing(path, now));
  const isOne = paths.length === 1 && paths[0] === resolve(folder);
  if (options.json) writers.out(jsonText(isOne ? runs[0] : runsDocument(runs), 2));
  else writers.out(isOne ? runText(runs[0]!, now) : runsText(runs, now));
  return 0;
}

/** One run; none where it has been removed meanwhile. One that this user may not read does not hide the others. */
function standing(path: string, now: number): AnyStanding[] {
  try {
    return [anyStanding(path, now)];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === undefined) throw error;
    return [{ ...nothing(path), state: "damaged", reason: `it cannot be read (${code})` }];
  }
}

/** A folder that has runs in it, or the name of a run. */
function placeOf(place: string): string {
  if (findRuns(place).length > 0) return place;
  const run = runDirectory(place);
  if (run !== undefined) return run;
  if (existsSync(place)) return place;
  throw new UsageError(`${place}: there is no such folder, and no run of that name in ./runs`);
}
