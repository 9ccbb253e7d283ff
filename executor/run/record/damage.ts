import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import type { IntervalSet } from "../../schedule/queue/intervalset.js";
import { LineCoverage } from "./linecoverage.js";
import { readKeyedLines } from "./resultlines.js";

/**
 * Why the results in the run directory `path` are not exactly those of the `committed` units: one line of results.ndjson for
 * each unit, and every output of its chunk in results/. Undefined where they are.
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

/** The first output of a chunk that is not there as a file, relative to results/. */
function findMissingOutput(path: string, job: Job, chunk: string): string | undefined {
  const units = job.unitsOf(chunk);
  if (units === undefined) return undefined;
  const folder = job.kind === "tasks" ? "" : chunk;
  return job
    .chunk(...units)
    .spec.outputs.map((output) => join(folder, output))
    .find((output) => !lstatSync(join(path, "results", output), { throwIfNoEntry: false })?.isFile());
}
