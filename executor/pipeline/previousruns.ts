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
import { join } from "node:path";
import { readEntries } from "../run/record/journal.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";
import type { StepFingerprint } from "./stepfingerprint.js";
import { hasResults } from "./stepstate.js";

/** A step that is complete in an earlier run: the folder of the step there. */
export interface PreviousCompletion {
  folder: string;
  fingerprint: string | undefined;
  at: string;
}

/** What a run of a pipeline has written down; undefined where `path` is no such run directory, or cannot be read. */
export function replayPipeline(path: string): PipelineReplay | undefined {
  const file = join(path, "journal.ndjson");
  if (!existsSync(file)) return undefined;
  const fd = openSync(file, "r");
  try {
    const past = new PipelineReplay();
    readEntries<PipelineEntry>(fd, file, (entry) => past.apply(entry));
    return past.header === undefined ? undefined : past;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** The last completion of a step of the pipeline `name` in a run directory beside `path`, with this fingerprint where one is given. */
export function findLastCompletion(
  folder: string,
  except: string,
  name: string,
  step: string,
  fingerprint?: StepFingerprint,
): PreviousCompletion | undefined {
  let last: PreviousCompletion | undefined;
  for (const entry of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, entry);
    const past = path === except ? undefined : replayPipeline(path);
    const end = past?.header?.name === name ? past.endedSteps.get(step) : undefined;
    if (end === undefined || !hasResults(end.state) || !existsSync(join(path, step))) continue;
    if (fingerprint !== undefined && !fingerprint.matches(end.fingerprint)) continue;
    if (last === undefined || last.at < end.at)
      last = { folder: join(path, step), fingerprint: end.fingerprint, at: end.at };
  }
  return last;
}

/** Of what is taken over, results are never written again under their names: a second name for them is enough. */
const LINKED_FOLDER = "results";
/** What belongs to the run of a step, and is not taken over with its results. */
const NOT_REUSED = ["journal.ndjson", "command.lock", "in"];

/** Puts the results of an earlier step into the folder `to`, in one step. That earlier run can then be removed. */
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

function linkTree(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    const source = join(from, name);
    if (lstatSync(source).isDirectory()) linkTree(source, join(to, name));
    else linkOrCopy(source, join(to, name));
  }
}

/** A second name, or a copy where the file system gives none. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}
