import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import type { IntervalSet } from "../../schedule/queue/intervalset.js";
import { LineCoverage } from "./linecoverage.js";
import { readKeyedLines } from "./resultlines.js";

/** Whether the results in a run directory are complete; if not, what is damaged. */
export type ResultsCheck = { readonly ok: true } | { readonly ok: false; readonly damage: string };

/**
 * Checks that the results in the run directory `path` are exactly those of the `committed` units: each unit has one line in
 * results.ndjson, and its chunk has all outputs in results/.
 */
export async function checkForDamage(path: string, job: Job, committed: IntervalSet): Promise<ResultsCheck> {
  const coverage = new LineCoverage(job);
  let missing: string | undefined;
  for await (const line of readKeyedLines(join(path, "results.ndjson"), job)) {
    coverage.add(line.chunk);
    if (job.collect === "files" && line.chunk !== undefined) missing ??= findMissingOutput(path, job, line.chunk);
  }
  if (coverage.firstSurplus !== undefined)
    return { ok: false, damage: `results.ndjson has a line too many, of ${coverage.firstSurplus}` };
  if (!coverage.units.equals(committed)) {
    const units = `${coverage.units.size()} of the ${committed.size()} units`;
    return { ok: false, damage: `results.ndjson has ${units} that the journal has as committed` };
  }
  return missing === undefined ? { ok: true } : { ok: false, damage: `results/${missing} is missing` };
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
