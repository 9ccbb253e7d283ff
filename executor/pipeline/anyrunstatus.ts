import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { isFileLocked } from "../../fleet/filelock.js";
import { MusterError } from "../../schemas/errors.js";
import { describeSystemError } from "../../schemas/systemerror.js";
import { readEntries } from "../run/record/journal.js";
import { createEmptyStatus, hasJournal, type RunStatus, readRunStatus } from "../run/record/runstatus.js";
import { rejectSpecialFiles } from "../run/record/specialfiles.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";
import { hasResults, isUnfinished, type StepState } from "./stepstate.js";

/** The status of a pipeline step. `run` is the status of its job, where there is one. */
export interface StepStatus {
  step: string;
  state: StepState;
  seconds?: number;
  reason?: string;
  run?: RunStatus;
}

/** The status of a run of a job, or of a pipeline with its steps. */
export interface AnyRunStatus extends RunStatus {
  steps?: StepStatus[];
}

/** The journal of a pipeline begins with this text. */
const PIPELINE_JOURNAL_PREFIX = '{"n":1,"e":"pipeline"';

/**
 * Reads the status of the run in the directory `path`, whether of a job or of a pipeline. In a pipeline a unit is a step, and a step
 * that ended without results counts as failed; the repetitions of a step follow it in `steps` and are not counted. `now` is Unix time in
 * milliseconds. Throws the system's error where it cannot be read.
 */
export function readAnyRunStatus(path: string, now: number): AnyRunStatus {
  if (!isPipelineRun(path)) return readRunStatus(path, now);
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    return readPipelineStatus(path, fd, file, now);
  } finally {
    closeSync(fd);
  }
}

/** Reads the status of several runs. Those that have been removed meanwhile are left out, and those that cannot be read are `damaged`. */
export function listRunStatuses(paths: readonly string[], now: number): AnyRunStatus[] {
  return paths.flatMap((path) => readStatusOrNothing(path, now));
}

function readStatusOrNothing(path: string, now: number): AnyRunStatus[] {
  try {
    return [readAnyRunStatus(path, now)];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    return [{ ...createEmptyStatus(path), state: "damaged", reason: `its journal ${refusal.reason}` }];
  }
}

/** Returns whether a run directory belongs to a pipeline. */
export function isPipelineRun(path: string): boolean {
  const fd = openSync(join(path, "journal.ndjson"), "r");
  try {
    const bytes = Buffer.alloc(PIPELINE_JOURNAL_PREFIX.length);
    return (
      bytes.toString("latin1", 0, readSync(fd, bytes, 0, PIPELINE_JOURNAL_PREFIX.length, 0)) === PIPELINE_JOURNAL_PREFIX
    );
  } finally {
    closeSync(fd);
  }
}

function readPipelineStatus(path: string, fd: number, file: string, now: number): AnyRunStatus {
  const held = isFileLocked(fd);
  const replay = new PipelineReplay();
  const steps: StepStatus[] = [];
  let reason: string | undefined;
  try {
    rejectSpecialFiles(path);
    readEntries<PipelineEntry>(fd, file, (entry) => replay.apply(entry));
    for (const step of replay.listStepsAndRepetitions()) steps.push(readStepStatus(path, step, replay, held, now));
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    reason = error.message;
  }
  const whole = steps.filter(({ step }) => replay.header?.steps.includes(step));
  const { lastOpen: holder, startedAt: started, finalState: closed } = replay;
  const last = replay.finalState === undefined ? undefined : replay.closedAt;
  const until = held ? now : last === undefined ? fstatSync(fd).mtimeMs : Date.parse(last);
  return {
    name: replay.header?.name ?? basename(path),
    path,
    state: reason !== undefined ? "damaged" : held ? "running" : (closed ?? "interrupted"),
    started,
    seconds: started === undefined ? undefined : Math.max(0, Math.round(until - Date.parse(started)) / 1000),
    chunks: {
      done: countSteps(whole, hasResults),
      failed: countSteps(whole, (state) => !hasResults(state) && !isUnfinished(state) && state !== "left out"),
    },
    units: { done: `${countSteps(whole, hasResults)}`, total: `${whole.length}` },
    nodes: [...new Set(steps.flatMap(({ run }) => run?.nodes ?? []))],
    ...(held ? {} : collectLeftovers(steps)),
    coordinator: held && holder !== undefined ? { pid: holder.pid, host: holder.host, since: holder.at } : undefined,
    reason,
    steps,
  };
}

function readStepStatus(path: string, step: string, replay: PipelineReplay, held: boolean, now: number): StepStatus {
  const folder = join(path, step);
  const run = existsSync(join(folder, "journal.ndjson")) ? readRunStatus(folder, now) : undefined;
  if (replay.runningSince.has(step)) return { step, state: held ? "running" : "interrupted", run };
  const end = replay.endedSteps.get(step);
  return { step, state: end?.state ?? "waiting", seconds: end?.seconds, reason: end?.reason, run };
}

function collectLeftovers(steps: StepStatus[]): Pick<RunStatus, "leftovers"> {
  const leftovers = steps.flatMap(({ run }) => run?.leftovers ?? []);
  const byPlace = new Map(leftovers.map((one) => [JSON.stringify([one.inventory, one.node]), one]));
  return byPlace.size === 0 ? {} : { leftovers: [...byPlace.values()] };
}

function countSteps(steps: StepStatus[], holds: (state: StepState) => boolean): number {
  return steps.filter(({ state }) => holds(state)).length;
}

/** Returns the run directories of the jobs of a run: its own, or those of the steps of a pipeline and of their repetitions. */
export function listJobRuns(path: string): string[] {
  if (!isPipelineRun(path)) return [path];
  const listFolders = (folder: string) =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(folder, name));
  const steps = listFolders(path);
  return [...steps, ...steps.flatMap(listFolders)].filter(hasJournal);
}
