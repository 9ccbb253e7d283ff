import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { listCombinedFiles, listResultPaths } from "../../job/resultpath.js";
import { kindOfEntry } from "./entrykind.js";
import { isFileWithHash } from "./filehashes.js";
import type { RunReplay } from "./replay.js";
import type { ResultsFolder } from "./resultsfolder.js";

/** How many files the message names. */
const MAX_NAMED_FILES = 10;

/**
 * Rejects with RESULTS_EXIST (65) where the folder of results has files that this run would replace and did not publish. Nothing may have been
 * published since uncommitted results were removed. Names that are found at the end of a chunk are checked then.
 */
export async function rejectForeignFiles(job: Job, results: ResultsFolder, replay: RunReplay): Promise<void> {
  if (!results.isShared || results.mayReplace) return;
  const named: string[] = [];
  let count = 0;
  for await (const file of findForeignFiles(job, results, replay)) if (++count <= MAX_NAMED_FILES) named.push(file);
  if (count === 0) return;
  const more = count > named.length ? `\n    and ${count - named.length} more` : "";
  const list = named.map((file) => `\n    ${file}`).join("");
  throw new MusterError("RESULTS_EXIST", `${results.path} has files that this run did not publish:${list}${more}`, {
    next: "Move these files away, publish elsewhere with --results DIR, or replace them with --overwrite.",
  });
}

async function* findForeignFiles(job: Job, { path, layout }: ResultsFolder, replay: RunReplay): AsyncGenerator<string> {
  for (const file of listCombinedFiles(job)) {
    const ownHashes = replay.combinedFiles.get(file) ?? new Set();
    if (isThere(path, file) && !(await isFileWithHash(join(path, file), ownHashes))) yield file;
  }
  if (job.collect === "lines") return;
  if (job.kind === "tasks") {
    for (let task = job.first; task < job.first + job.units; task++) {
      if (replay.committedUnits.overlaps(task, task + 1n)) continue;
      for (const file of listResultPaths(layout, job.chunk(task, task + 1n))) if (isThere(path, file)) yield file;
    }
    return;
  }
  // The chunks of a range are not known before they are cut.
  for (const name of existsSync(path) ? readdirSync(path) : []) {
    const units = job.unitsOf(name);
    if (units !== undefined && !replay.committedUnits.overlaps(...units)) yield `${name}/`;
  }
}

function isThere(folder: string, path: string): boolean {
  return kindOfEntry(join(folder, path)) !== "none";
}
