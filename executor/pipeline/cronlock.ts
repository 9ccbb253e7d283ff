import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import { escapeUnsafe } from "../../schemas/escape.js";
import { tryLockFile } from "../run/record/filelock.js";
import { explainDiskError } from "../run/results/diskspace.js";
import type { OverlapPolicy, Pipeline } from "./pipeline.js";
import { hasSameSteps } from "./pipelinedirectory.js";
import { replayPipeline } from "./previousruns.js";
import { dependenciesOf, type StepSelection, selectSteps } from "./stepselection.js";

/** Milliseconds between two tries to get the lock. */
const LOCK_RETRY_MS = 1000;

/** A start by cron that may go ahead: alone with its pipeline until `release`. */
export interface CronLock {
  /** The run directory: a new one with the time in its name, or that of the last run where that has not come to its end. */
  path: string;
  /** Adds a line to the pipeline's log. */
  log(line: string): void;
  release(): void;
}

/** What a start by cron does where another one of its pipeline runs. `wait`: seconds; undefined = until it ends. */
export interface OverlapOptions {
  overlap: OverlapPolicy;
  waitSeconds: number | undefined;
  stop: AbortSignal;
}

/** Where the scheduled runs of a pipeline lie, with its log and its lock. */
export function scheduledRunsFolder(pipeline: Pipeline): string {
  return join(pipeline.folder, "runs");
}

/** The names of a pipeline's scheduled runs that are there, oldest first. */
export function listScheduledRuns(pipeline: Pipeline): string[] {
  const folder = scheduledRunsFolder(pipeline);
  const dated = (name: string) =>
    name.startsWith(`${pipeline.name}-`) && /^\d{8}T\d{6}Z(-\d+)?$/.test(name.slice(pipeline.name.length + 1));
  return existsSync(folder) ? readdirSync(folder).filter(dated).sort() : [];
}

/**
 * Takes the pipeline's turn; undefined where another run has it and this start is skipped, which its log says. Rejects with a
 * MusterError (HELD, 75) where that is not wanted, or (DISK, 3) where nothing can be written there. Times are in UTC, so an hour that comes twice or never changes nothing.
 */
export async function acquireCronLock(
  pipeline: Pipeline,
  selection: StepSelection,
  patience: OverlapOptions,
): Promise<CronLock | undefined> {
  const folder = scheduledRunsFolder(pipeline);
  const { file, lock } = openLockFile(folder, pipeline.name);
  const log = (line: string) =>
    appendFileSync(
      join(folder, `${pipeline.name}.log`),
      `${new Date().toISOString()} ${process.pid} ${toLogText(line)}\n`,
    );
  try {
    if (!(await waitForLock(lock, patience))) {
      const holder = readFileSync(file, "utf8").trim() || "another muster";
      if (patience.overlap === "skip") {
        log(`skipped: ${holder} still runs it`);
        closeSync(lock);
        return undefined;
      }
      throw new MusterError("HELD", 75, `${pipeline.name}: ${holder} still runs it`, {
        next: "Schedule it less often, or let it wait (--overlap wait) or be skipped (--overlap skip).",
      });
    }
    writeFileSync(file, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`);
    return {
      path: join(folder, findUnfinishedRun(pipeline, selection) ?? chooseRunName(pipeline)),
      log,
      release: () => closeSync(lock),
    };
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

/** A message as the log holds it: whoever looks at the log looks at it in a terminal. */
function toLogText(message: string): string {
  return escapeUnsafe(message).replaceAll("\n", "\n    ");
}

function openLockFile(folder: string, name: string): { file: string; lock: number } {
  const file = join(folder, `${name}.lock`);
  try {
    mkdirSync(folder, { recursive: true });
    return { file, lock: openSync(file, "a+") };
  } catch (error) {
    throw explainDiskError(folder, error);
  }
}

async function waitForLock(lock: number, { overlap, waitSeconds: wait, stop }: OverlapOptions): Promise<boolean> {
  const began = performance.now();
  while (!tryLockFile(lock)) {
    const isOver = wait !== undefined && performance.now() - began > wait * 1000;
    if (overlap !== "wait" || isOver || stop.aborted) return false;
    await sleep(LOCK_RETRY_MS);
  }
  return true;
}

/** The last scheduled run, where it was interrupted or killed, is one of the same steps, and was asked for the same ones. */
function findUnfinishedRun(pipeline: Pipeline, selection: StepSelection): string | undefined {
  const last = listScheduledRuns(pipeline).at(-1);
  const past = last === undefined ? undefined : replayPipeline(join(scheduledRunsFolder(pipeline), last));
  if (past?.header === undefined || !hasSameSteps(past.header, pipeline)) return undefined;
  const meant = [...selectSteps(selection, dependenciesOf(pipeline))];
  if (past.holder !== undefined && past.holder.meant.join() !== meant.join()) return undefined;
  return past.finalState === undefined || past.finalState === "interrupted" ? last : undefined;
}

function chooseRunName(pipeline: Pipeline): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const name = `${pipeline.name}-${time}`;
  if (!existsSync(join(scheduledRunsFolder(pipeline), name))) return name;
  for (let n = 2; ; n++) if (!existsSync(join(scheduledRunsFolder(pipeline), `${name}-${n}`))) return `${name}-${n}`;
}
