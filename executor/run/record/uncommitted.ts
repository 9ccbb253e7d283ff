import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import { listResultPaths } from "../../job/resultpath.js";
import { isOwnFile, type PublishedFile } from "./ownfile.js";
import type { RunReplay } from "./replay.js";
import type { ResultsFolder } from "./resultsfolder.js";

/**
 * Removes results that were published but not journaled from a run that is resumed. Their chunks are computed or collected again, but not
 * necessarily with the same bounds or with success, so they might never be replaced. In the run directory, files that do not have the
 * name of a chunk or an output of the job are kept. Where the files of a batch are journaled, all but the journaled ones are.
 */
export async function removeUncommitted(results: ResultsFolder, replay: RunReplay, job: Job): Promise<void> {
  removeChunks(results.pieces, replay, job);
  if (job.collect === "lines") return;
  if (results.isJournaled) for (const files of replay.pendingPublications.values()) await removePending(results, files);
  else if (job.kind === "tasks") removeOutputs(results, replay, job);
  else removeChunks(results.path, replay, job);
}

/** Folders stay: they may be somebody else's. */
async function removePending({ path }: ResultsFolder, files: readonly PublishedFile[]): Promise<void> {
  for (const published of files) {
    const file = join(path, published[0]);
    if (await isOwnFile(path, file, published)) rmSync(file);
  }
}

function removeOutputs({ path, layout }: ResultsFolder, replay: RunReplay, job: Job): void {
  for (let task = job.first; task < job.first + job.units; task++) {
    if (replay.committedUnits.overlaps(task, task + 1n)) continue;
    for (const target of listResultPaths(layout, job.chunk(task, task + 1n)))
      rmSync(join(path, target), { force: true });
  }
}

function removeChunks(folder: string, replay: RunReplay, job: Job): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const units = job.unitsOf(name);
    if (units === undefined || replay.committedUnits.overlaps(...units)) continue;
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}
