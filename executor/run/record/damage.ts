import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import type { IntervalSet } from "../../schedule/queue/intervalset.js";
import { LineCoverage } from "./linecoverage.js";
import { readKeyedLines } from "./resultlines.js";

/**
 * Checks that the results in the run directory `path` are exactly those of the `committed` units: each unit has one line in
 * results.ndjson, and its chunk has all outputs in results/. Returns what is wrong; undefined if nothing is.
 */
export async function findDamage(path: string, job: Job, committed: IntervalSet): Promise<string | undefined> {
  const census = new LineCoverage(job);
  let missing: string | undefined;
  for await (const line of readKeyedLines(join(path, "results.ndjson"), job)) {
    census.add(line.chunk);
    if (job.collect === "files" && line.chunk !== undefined) missing ??= findMissingOutput(path, job, line.chunk);
  }
  if (census.firstSurplus !== undefined) return `results.ndjson has a line too many, of ${census.firstSurplus}`;
  if (!census.units.equals(committed))
    return `results.ndjson has ${census.units.size()} of the ${committed.size()} units that the journal has as committed`;
  return missing === undefined ? undefined : `results/${missing} is missing`;
}

/** Returns the first missing output of a chunk, relative to results/. */
function findMissingOutput(path: string, job: Job, chunk: string): string | undefined {
  const units = job.unitsOf(chunk);
  if (units === undefined) return undefined;
  const folder = job.kind === "tasks" ? "" : chunk;
  return job
    .chunk(...units)
    .spec.outputs.map((output) => join(folder, output))
    .find((output) => !lstatSync(join(path, "results", output), { throwIfNoEntry: false })?.isFile());
}
