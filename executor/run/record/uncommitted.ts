import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import type { RunReplay } from "./replay.js";

/**
 * Removes results that were published but not journaled from the folder `results` of a run directory that is resumed. Their chunks are
 * computed or collected again, but not necessarily with the same bounds or with success, so they might never be replaced. Files that do
 * not have the name of a chunk or an output of the job are kept.
 */
export function removeUncommitted(results: string, replay: RunReplay, job: Job): void {
  if (job.collect === "lines" || !existsSync(results)) return;
  if (job.kind === "tasks") removeOutputs(results, replay, job);
  else removeChunks(results, replay, job);
}

function removeOutputs(results: string, replay: RunReplay, job: Job): void {
  for (let task = job.first; task < job.first + job.units; task++) {
    if (replay.committedUnits.overlaps(task, task + 1n)) continue;
    for (const output of job.chunk(task, task + 1n).spec.outputs) rmSync(join(results, output), { force: true });
  }
}

function removeChunks(results: string, replay: RunReplay, job: Job): void {
  for (const name of readdirSync(results)) {
    const units = job.unitsOf(name);
    if (units === undefined || replay.committedUnits.overlaps(...units)) continue;
    rmSync(join(results, name), { recursive: true, force: true });
  }
}
