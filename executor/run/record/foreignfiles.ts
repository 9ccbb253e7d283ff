import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import { isFoundBy } from "../../job/foundoutputs.js";
import type { ChunkSpec, Job } from "../../job/job.js";
import { isRunDirectory } from "../../job/project/rundirectory.js";
import {
  listCombinedFiles,
  listResultFolders,
  listResultPaths,
  publishedPath,
  type ResultLayout,
} from "../../job/resultpath.js";
import { kindOfEntry } from "./entrykind.js";
import { isOwnFile } from "./ownfile.js";
import { listOwnResults } from "./ownresults.js";
import type { RunReplay } from "./replay.js";
import type { ResultsFolder } from "./resultsfolder.js";

/** Throws RESULTS_EXIST (65) where results would be published in a run directory, among its own files. `run`: the one of this run. */
function rejectRunDirectory(results: string, run: string): void {
  let folder = results;
  while (folder !== run && !isRunDirectory(folder)) {
    if (folder === dirname(folder)) return;
    folder = dirname(folder);
  }
  throw new MusterError("RESULTS_EXIST", `results: ${results} lies in the run directory ${folder}`, {
    next: "Name a folder elsewhere, or leave `results` out: they are in the run directory then.",
  });
}

/** How many files the message names. */
const MAX_NAMED_FILES = 10;

/**
 * Rejects with RESULTS_EXIST (65) where the folder of results has files that this run would replace and did not publish. Nothing may have been
 * published since uncommitted results were removed. Names that a glob finds at the end of a chunk are checked then. `run`: the run directory.
 */
export async function rejectForeignFiles(
  job: Job,
  results: ResultsFolder,
  replay: RunReplay,
  run: string,
): Promise<void> {
  if (!results.isShared) return;
  rejectRunDirectory(results.path, run);
  if (results.mayReplace) return;
  const own = await listOwnResults(run, job);
  const found = new Set<string>();
  for await (const file of findForeignFiles(job, results, replay, own)) found.add(file);
  if (found.size === 0) return;
  const named = [...found].slice(0, MAX_NAMED_FILES);
  const more = found.size > named.length ? `\n    and ${found.size - named.length} more` : "";
  const list = named.map((file) => `\n    ${file}`).join("");
  throw new MusterError("RESULTS_EXIST", `${results.path} has files that this run did not publish:${list}${more}`, {
    next: "Move these files away, publish elsewhere (--results DIR, or `results` of the job), or replace them with --overwrite.",
  });
}

async function* findForeignFiles(
  job: Job,
  { path, layout }: ResultsFolder,
  replay: RunReplay,
  own: ReadonlySet<string>,
): AsyncGenerator<string> {
  for (const file of listCombinedFiles(job)) {
    if (isThere(path, file) && !(await isOwnCombined(path, file, replay))) yield file;
  }
  if (job.collect === "lines") return;
  if (job.kind === "tasks") {
    for (let task = job.first; task < job.first + job.units; task++) {
      if (replay.committedUnits.overlaps(task, task + 1n)) continue;
      const chunk = job.chunk(task, task + 1n);
      for (const file of listResultPaths(layout, chunk)) if (isThere(path, file)) yield file;
      for (const folder of listResultFolders(layout, chunk))
        if (hasForeignFile(join(path, folder), own)) yield `${folder}/`;
    }
    return;
  }
  // The chunks of a range are not known before they are cut.
  for (const name of existsSync(path) ? readdirSync(path) : []) {
    const units = job.unitsOf(name);
    if (units === undefined || replay.committedUnits.overlaps(...units)) continue;
    const chunk = job.chunk(...units);
    for (const file of listResultPaths(layout, chunk)) if (isThere(path, file)) yield file;
    if (hasFoundFile(join(path, name), chunk.spec, layout)) yield `${name}/`;
  }
}

/** Whether any file below the folder of a chunk may be one of its outputs; a folder of such a name may hold something else. */
function hasFoundFile(folder: string, { found = [] }: ChunkSpec, { folders }: ResultLayout): boolean {
  if (found.length === 0 || kindOfEntry(folder) !== "folder") return false;
  const declared = found.map((one) => ({ ...one, base: publishedPath(folders.cwd, one.base) }));
  return listFilesBelow(folder).some((file) => declared.some((one) => isFoundBy(one, relative(folder, file))));
}

function listFilesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Whether any file lies below a folder that is not among `own`. Folders alone do no harm. */
function hasForeignFile(folder: string, own: ReadonlySet<string>): boolean {
  if (kindOfEntry(folder) !== "folder") return kindOfEntry(folder) === "file";
  return listFilesBelow(folder).some((file) => !own.has(file));
}

/** Whether a file that is made of all results is one that the run has published. */
export async function isOwnCombined(root: string, target: string, replay: RunReplay): Promise<boolean> {
  for (const published of replay.combinedFiles)
    if (published[0] === target && (await isOwnFile(root, join(root, target), published))) return true;
  return false;
}

function isThere(folder: string, path: string): boolean {
  return kindOfEntry(join(folder, path)) !== "none";
}
