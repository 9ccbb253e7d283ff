import {
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { readEntries } from "../run/record/journal.js";
import {
  arePublishedResultsIntact,
  readPublishedResults,
  recordPublishedResults,
} from "../run/record/publishedresults.js";
import { listRepetitionFolders } from "./locateinputs.js";
import type { Pipeline, PipelineStep } from "./pipeline.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";
import type { StepOutcome } from "./stepcontext.js";
import type { StepFingerprint } from "./stepfingerprint.js";
import { hasResults } from "./stepstate.js";

/** The completion of a step in an earlier run: its run directory, and the folder of the step. */
export interface PreviousCompletion {
  run: string;
  folder: string;
  fingerprint: string | undefined;
  at: string;
}

/** Replays the journal of a pipeline's run. Returns undefined where `path` is not the run directory of a pipeline, or cannot be read. */
export function replayPipeline(path: string): PipelineReplay | undefined {
  const file = join(path, "journal.ndjson");
  if (!existsSync(file)) return undefined;
  const fd = openSync(file, "r");
  try {
    const replay = new PipelineReplay();
    readEntries<PipelineEntry>(fd, file, (entry) => replay.apply(entry));
    return replay.header === undefined ? undefined : replay;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Whether a run is one of this pipeline, and not of another file with the same name in its folder. */
export function isRunOf(
  { name, file }: NonNullable<PipelineReplay["header"]>,
  pipeline: Pick<Pipeline, "name" | "file">,
): boolean {
  return name === pipeline.name && basename(file) === basename(pipeline.file);
}

/** Returns the last completion of a step in the runs of the pipeline in `folder`, with this fingerprint where one is given. */
export function findLastCompletion(
  folder: string,
  except: string,
  pipeline: Pick<Pipeline, "name" | "file">,
  step: string,
  fingerprint?: StepFingerprint,
): PreviousCompletion | undefined {
  let last: PreviousCompletion | undefined;
  for (const entry of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, entry);
    const replay = path === except ? undefined : replayPipeline(path);
    const isOwn = replay?.header !== undefined && isRunOf(replay.header, pipeline);
    const end = isOwn ? replay.endedSteps.get(step) : undefined;
    if (end === undefined || !hasResults(end.state) || !existsSync(join(path, step))) continue;
    // A new run tries again what failed in a step of which only a part was enough.
    const known = end.state === "enough" ? undefined : end.fingerprint;
    if (fingerprint !== undefined && !fingerprint.matches(known)) continue;
    if (last === undefined || last.at < end.at)
      last = { run: path, folder: join(path, step), fingerprint: known, at: end.at };
  }
  return last;
}

/**
 * Reuses the results of the last complete run where a step has `when: changed` and its fingerprint is the same. `path`: the run
 * directory of the pipeline. Returns undefined where nothing can be reused, because results that were published elsewhere
 * have changed, or because the step has begun in this run.
 */
export async function reuseIfUnchanged(
  path: string,
  pipeline: Pick<Pipeline, "name" | "file">,
  step: PipelineStep,
  fingerprint: StepFingerprint | undefined,
): Promise<StepOutcome | undefined> {
  const folder = join(path, step.name);
  if (step.when !== "changed" || fingerprint === undefined || existsSync(join(folder, "journal.ndjson")))
    return undefined;
  const earlier = findLastCompletion(dirname(path), path, pipeline, step.name, fingerprint);
  if (earlier === undefined) return undefined;
  const published = readPublishedResults(earlier.folder);
  if (published !== undefined && !(await arePublishedResultsIntact(published))) return undefined;
  reuseResults(earlier.folder, folder);
  if (published !== undefined) recordPublishedResults(folder, published);
  return { state: "unchanged", reason: `as in ${earlier.run}` };
}

/** Files in this folder are never written again, so hard links to them are safe. */
const LINKED_FOLDER = "results";
/** Files that belong to the run of the step, and are not copied with its results. */
const NOT_REUSED = ["journal.ndjson", "command.lock", "in"];

/** Copies the results of a step into the folder `to` atomically. The earlier run may be removed afterwards. */
export function reuseResults(from: string, to: string): void {
  const partial = `${to}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  for (const name of readdirSync(from)) {
    if (NOT_REUSED.includes(name) || name.endsWith(".partial") || name.startsWith(".")) continue;
    if (name === LINKED_FOLDER) linkTree(join(from, name), join(partial, name));
    else cpSync(join(from, name), join(partial, name), { recursive: true });
  }
  rmSync(to, { recursive: true, force: true });
  renameSync(partial, to);
}

/** Copies the results of each repetition of a step, as `reuseResults` does, and then all of them atomically. */
export function reuseRepetitions(from: string, to: string): void {
  const partial = `${to}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  for (const name of listRepetitionFolders(from)) reuseResults(join(from, name), join(partial, name));
  rmSync(to, { recursive: true, force: true });
  renameSync(partial, to);
}

function linkTree(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    const source = join(from, name);
    if (lstatSync(source).isDirectory()) linkTree(source, join(to, name));
    else linkOrCopy(source, join(to, name));
  }
}

/** Makes a hard link, or a copy where the file system does not allow one. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}
