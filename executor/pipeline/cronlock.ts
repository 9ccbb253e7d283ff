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
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLockFile } from "../../fleet/filelock.js";
import { MusterError } from "../../schemas/errors.js";
import { escapeUnsafe } from "../../schemas/escape.js";
import { explainDiskError } from "../run/record/diskerror.js";
import { dependenciesOf, type StepSelection, selectSteps } from "./dependencies.js";
import type { OverlapPolicy, Pipeline } from "./pipeline.js";
import { hasSameSteps } from "./pipelinedirectory.js";
import type { PipelineReplay } from "./pipelinejournal.js";
import { isRunOf, replayPipeline } from "./previousruns.js";

const LOCK_RETRY_MS = 1000;

/** The lock of a scheduled run. No other scheduled run of the pipeline starts until `release`. */
export interface CronLock {
  /** The run directory: that of the last run if it is unfinished, else a new one with the time in its name. */
  path: string;
  /** Appends a line to the log of the pipeline. */
  log(line: string): void;
  release(): void;
}

/** What a scheduled run does while an earlier one is active. Without `waitSeconds` it waits until the other one ends. */
export interface OverlapOptions {
  overlap: OverlapPolicy;
  waitSeconds: number | undefined;
  stop: AbortSignal;
}

/** Returns the folder of the scheduled runs of a pipeline, which also holds its log and its lock. */
export function scheduledRunsFolder(pipeline: Pipeline): string {
  return join(pipeline.folder, "runs");
}

/** Returns the names of the existing scheduled runs of a pipeline, oldest first. */
export function listScheduledRuns(pipeline: Pipeline): string[] {
  const folder = scheduledRunsFolder(pipeline);
  const isScheduledRun = (name: string) =>
    name.startsWith(`${pipeline.name}-`) && /^\d{8}T\d{6}Z(-\d+)?$/.test(name.slice(pipeline.name.length + 1));
  return existsSync(folder) ? readdirSync(folder).filter(isScheduledRun).sort() : [];
}

/**
 * Acquires the lock of a scheduled run. Returns undefined where another run holds it and the policy is `skip`; the log says so. Rejects
 * with HELD (75) under the other policies, and with DISK (3) where the folder cannot be written. Names carry UTC times, so changes to
 * daylight saving time do not affect their order.
 */
export async function acquireCronLock(
  pipeline: Pipeline,
  selection: StepSelection,
  options: OverlapOptions,
): Promise<CronLock | undefined> {
  const folder = scheduledRunsFolder(pipeline);
  const { file, lock } = openLockFile(folder, pipeline);
  const log = (line: string) =>
    appendFileSync(
      join(folder, `${pipeline.name}.log`),
      `${new Date().toISOString()} ${process.pid} ${toLogText(line)}\n`,
    );
  try {
    if (!(await waitForLock(lock, options))) {
      const holder = readFileSync(file, "utf8").trim() || "another muster";
      if (options.overlap === "skip") {
        log(`skipped: ${holder} is still running this pipeline`);
        closeSync(lock);
        return undefined;
      }
      throw new MusterError("HELD", `${pipeline.name}: ${holder} is still running it`, {
        next: "Schedule it less often, or use --overlap wait or --overlap skip.",
      });
    }
    writeFileSync(file, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`);
    return {
      path: join(folder, findUnfinishedRun(pipeline, selection) ?? createRunFolder(pipeline)),
      log,
      release: () => closeSync(lock),
    };
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

/** Escapes a message for the log, which people read in a terminal, and indents its further lines. */
function toLogText(message: string): string {
  return escapeUnsafe(message).replaceAll("\n", "\n    ");
}

/** The lock belongs to the file of the pipeline: another file may have the same name. */
function openLockFile(folder: string, pipeline: Pipeline): { file: string; lock: number } {
  const file = join(folder, `${basename(pipeline.file)}.lock`);
  try {
    mkdirSync(folder, { recursive: true });
    return { file, lock: openSync(file, "a+") };
  } catch (error) {
    throw explainDiskError(folder, error);
  }
}

async function waitForLock(lock: number, { overlap, waitSeconds, stop }: OverlapOptions): Promise<boolean> {
  const startedAt = performance.now();
  while (!tryLockFile(lock)) {
    const isOver = waitSeconds !== undefined && performance.now() - startedAt > waitSeconds * 1000;
    if (overlap !== "wait" || isOver || stop.aborted) return false;
    await sleep(LOCK_RETRY_MS);
  }
  return true;
}

/** Returns the last scheduled run if it is unfinished, has the same steps, and was started with the same selection. */
function findUnfinishedRun(pipeline: Pipeline, selection: StepSelection): string | undefined {
  const { name, replay } = findLastRun(pipeline) ?? {};
  if (replay?.header === undefined || !hasSameSteps(replay.header, pipeline)) return undefined;
  const selected = [...selectSteps(selection, dependenciesOf(pipeline))];
  if (replay.lastOpen !== undefined && replay.lastOpen.meant.join() !== selected.join()) return undefined;
  return replay.finalState === undefined || replay.finalState === "interrupted" ? name : undefined;
}

/** Returns the last scheduled run of the pipeline itself: another file in its folder may have the same name. */
function findLastRun(pipeline: Pipeline): { name: string; replay: PipelineReplay } | undefined {
  for (const name of listScheduledRuns(pipeline).reverse()) {
    const replay = replayPipeline(join(scheduledRunsFolder(pipeline), name));
    if (replay?.header !== undefined && isRunOf(replay.header, pipeline)) return { name, replay };
  }
  return undefined;
}

/** Creates the folder of a new run, and returns its name. */
function createRunFolder(pipeline: Pipeline): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  for (let n = 1; ; n++) {
    const name = `${pipeline.name}-${time}${n === 1 ? "" : `-${n}`}`;
    try {
      mkdirSync(join(scheduledRunsFolder(pipeline), name));
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST")
        throw explainDiskError(scheduledRunsFolder(pipeline), error);
    }
  }
}
