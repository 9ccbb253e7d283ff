import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import { replayRun } from "./replay.js";
import { listLineFiles, readKeyedLines } from "./resultlines.js";

/**
 * Loads a job to run or resume it: `load` is called with the files that its run has published already, and must leave them out of inputs.
 * `pathOf`: returns the run directory.
 */
export async function loadForRun<T extends Job | undefined>(
  load: (ownResults: ReadonlySet<string>) => T,
  pathOf: (job: Job) => string,
): Promise<T> {
  const job = load(new Set());
  const own = job === undefined ? new Set<string>() : await listOwnResults(pathOf(job), job);
  return own.size === 0 ? job : load(own);
}

/**
 * Returns the files, absolute, that the run in `path` has published in the job's folder of results under names that had to be found.
 * Empty where results are in the run directory, or there is no run.
 */
export async function listOwnResults(path: string, job: Job): Promise<ReadonlySet<string>> {
  const own = new Set<string>();
  const [journal, lines] = [join(path, "journal.ndjson"), join(path, "results.ndjson")];
  if (job.results === undefined || !job.findsOutputs || !existsSync(journal) || !existsSync(lines)) return own;
  const add = (file: string) => own.add(join(job.results!.folder, file));
  for await (const { text, chunk } of readKeyedLines(lines, job))
    if (chunk !== undefined) for (const file of listLineFiles(text)) add(file);
  for (const files of replayRun(path).pendingPublications.values()) for (const [file] of files) add(file);
  return own;
}
