import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import { readEntries } from "../run/record/journal.js";
import { isHeld } from "../run/record/lock.js";
import { type Standing, standingOf } from "../run/record/standing.js";
import { type PipelineEntry, PipelinePast } from "./record.js";
import { isGood, isOpen, type StepState } from "./states.js";

/** How a step of a pipeline stands; `run`: the run of its job, where there is one. */
export interface StepStanding {
  step: string;
  state: StepState;
  seconds?: number;
  reason?: string;
  run?: Standing;
}

/** How a run stands, of a job or of a pipeline with its steps. */
export interface AnyStanding extends Standing {
  steps?: StepStanding[];
}

/** What a pipeline's journal begins with. */
const MARK = '{"n":1,"e":"pipeline"';

/**
 * Reads how the run in the directory `path` stands, whatever it is a run of; see `standingOf`. Of a pipeline a unit is a step, and
 * a step that did not end well counts as failed. `now`: milliseconds.
 */
export function anyStanding(path: string, now: number): AnyStanding {
  if (!isPipeline(path)) return standingOf(path, now);
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    return ofPipeline(path, fd, file, now);
  } finally {
    closeSync(fd);
  }
}

/** Whether a run directory is that of a pipeline. */
export function isPipeline(path: string): boolean {
  const fd = openSync(join(path, "journal.ndjson"), "r");
  try {
    const bytes = Buffer.alloc(MARK.length);
    return bytes.toString("latin1", 0, readSync(fd, bytes, 0, MARK.length, 0)) === MARK;
  } finally {
    closeSync(fd);
  }
}

function ofPipeline(path: string, fd: number, file: string, now: number): AnyStanding {
  const held = isHeld(fd);
  const past = new PipelinePast();
  const steps: StepStanding[] = [];
  let reason: string | undefined;
  try {
    readEntries<PipelineEntry>(fd, file, (entry) => past.see(entry));
    for (const step of past.pipeline?.steps ?? []) steps.push(ofStep(path, step, past, held, now));
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    reason = error.message;
  }
  const { holder, started, closed } = past;
  const last = past.closed === undefined ? undefined : past.until;
  const until = held ? now : last === undefined ? fstatSync(fd).mtimeMs : Date.parse(last);
  return {
    name: past.pipeline?.name ?? basename(path),
    path,
    state: reason !== undefined ? "damaged" : held ? "running" : (closed ?? "interrupted"),
    started,
    seconds: started === undefined ? undefined : Math.max(0, Math.round(until - Date.parse(started)) / 1000),
    chunks: {
      done: count(steps, isGood),
      failed: count(steps, (state) => !isGood(state) && !isOpen(state) && state !== "left out"),
    },
    units: { done: `${count(steps, isGood)}`, total: `${steps.length}` },
    nodes: [...new Set(steps.flatMap(({ run }) => run?.nodes ?? []))],
    ...(held ? {} : leftoversOf(steps)),
    coordinator: held && holder !== undefined ? { pid: holder.pid, host: holder.host, since: holder.at } : undefined,
    reason,
    steps,
  };
}

function ofStep(path: string, step: string, past: PipelinePast, held: boolean, now: number): StepStanding {
  const folder = join(path, step);
  const run = existsSync(join(folder, "journal.ndjson")) ? standingOf(folder, now) : undefined;
  if (past.begun.has(step)) return { step, state: held ? "running" : "interrupted", run };
  const end = past.ended.get(step);
  return { step, state: end?.state ?? "waiting", seconds: end?.seconds, reason: end?.reason, run };
}

function leftoversOf(steps: StepStanding[]): Pick<Standing, "leftovers"> {
  const leftovers = steps.flatMap(({ run }) => run?.leftovers ?? []);
  const byPlace = new Map(leftovers.map((one) => [JSON.stringify([one.inventory, one.node]), one]));
  return byPlace.size === 0 ? {} : { leftovers: [...byPlace.values()] };
}

function count(steps: StepStanding[], holds: (state: StepState) => boolean): number {
  return steps.filter(({ state }) => holds(state)).length;
}
