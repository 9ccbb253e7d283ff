import { join, relative } from "node:path";
import { isBelow } from "../../job/inputs.js";
import type { Job } from "../../job/job.js";
import { listResultPaths, piecePath } from "../../job/resultpath.js";
import type { IntervalSet } from "../../schedule/queue/intervalset.js";
import { kindOfEntry } from "./entrykind.js";
import { LineCoverage } from "./linecoverage.js";
import { isStoppedLine, type KeyedLine, listLineFiles, readKeyedLines } from "./resultlines.js";
import type { ResultsFolder } from "./resultsfolder.js";

/** Whether the results in a run directory are complete; if not, what is damaged. */
export type ResultsCheck = { readonly ok: true } | { readonly ok: false; readonly damage: string };

/**
 * Checks that the results in the run directory `path` are exactly those of the `committed` units: each unit has one line in
 * results.ndjson, and its chunk has all outputs.
 */
export async function checkForDamage(
  path: string,
  job: Job,
  committed: IntervalSet,
  results: ResultsFolder,
): Promise<ResultsCheck> {
  const coverage = new LineCoverage(job);
  let missing: string | undefined;
  for await (const line of readKeyedLines(join(path, "results.ndjson"), job)) {
    coverage.add(line.chunk);
    if (job.collect === "files" && line.chunk !== undefined && !isStoppedLine(line.text))
      missing ??= findMissingOutput(job, results, line);
  }
  if (coverage.firstSurplus !== undefined)
    return { ok: false, damage: `results.ndjson has a line too many, of ${coverage.firstSurplus}` };
  if (!coverage.units.equals(committed)) {
    const units = `${coverage.units.size()} of the ${committed.size()} units`;
    return { ok: false, damage: `results.ndjson has ${units} that the journal has as committed` };
  }
  return missing === undefined
    ? { ok: true }
    : { ok: false, damage: `${isBelow(path, missing) ? relative(path, missing) : missing} is missing` };
}

/** Returns the first missing output of a chunk, absolute; undefined = none is missing. */
function findMissingOutput(job: Job, { path, pieces, layout }: ResultsFolder, line: KeyedLine): string | undefined {
  const units = job.unitsOf(line.chunk!);
  if (units === undefined) return undefined;
  const chunk = job.chunk(...units);
  const published = chunk.spec.found === undefined ? listResultPaths(layout, chunk) : listLineFiles(line.text);
  const expected = [
    ...published.map((target) => join(path, target)),
    ...(chunk.spec.appended ?? []).map((output) => join(pieces, piecePath(layout, chunk.id, output))),
  ];
  return expected.find((file) => kindOfEntry(file) !== "file");
}
