import { join } from "node:path";
import { acquireCronLock, scheduledRunsFolder } from "../executor/pipeline/cronlock.js";
import type { OverlapPolicy, Pipeline } from "../executor/pipeline/pipeline.js";
import { runPipeline } from "../executor/pipeline/pipelinerun.js";
import { pruneRuns } from "../executor/pipeline/pruneruns.js";
import { formatPipelineFailure } from "../report/pipelinetext.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { notifyError } from "./notifications.js";
import { parseDurationOption, type RunCommandOptions } from "./options.js";
import {
  createPipelineContext,
  createPlaybookRunner,
  exitStatusOfPipeline,
  type LoadedPipeline,
  publishOutcome,
  silentPipelineObserver,
} from "./pipelinecontext.js";
import { handleStopSignals } from "./signals.js";

const OVERLAP_POLICIES = ["skip", "wait", "fail"];

/**
 * `muster run --cron PIPELINE`: prints nothing on success, because cron mails whatever is printed, and a few lines on stderr
 * otherwise. Everything else goes into the pipeline's log. Returns the exit status.
 */
export async function runFromCron(
  loaded: LoadedPipeline,
  options: RunCommandOptions,
  writers: Writers,
): Promise<number> {
  const { pipeline, selection } = loaded;
  const { overlap, waitSeconds } = parseOverlapOptions(pipeline, options);
  const stop = handleStopSignals({ out: () => {}, err: () => {} });
  const lock = await acquireCronLock(pipeline, selection, { overlap, waitSeconds, stop: stop.signal });
  if (lock === undefined) return 0;
  try {
    lock.log(`began: ${lock.path}`);
    const context = createPipelineContext(loaded, lock.path, options, stop.signal);
    const playbooks = createPlaybookRunner(loaded, options, () => {});
    const { summary } = await runPipeline(context, selection, playbooks, silentPipelineObserver);
    const exit = exitStatusOfPipeline(summary, stop.code());
    lock.log(`${summary.state} after ${summary.seconds} s, exit ${exit}: ${lock.path}`);
    if (summary.state !== "complete") writers.err(formatPipelineFailure(summary));
    await publishOutcome(pipeline, summary, exit, options, writers);
    return exit;
  } catch (error) {
    if (error instanceof MusterError) lock.log(`stopped, exit ${error.exitStatus}: ${error.message}`);
    for (const line of await notifyError(pipeline, error)) writers.err(line);
    throw error;
  } finally {
    pruneAndLog(pipeline, lock.log);
    lock.release();
    stop.release();
  }
}

function parseOverlapOptions(
  pipeline: Pipeline,
  options: RunCommandOptions,
): { overlap: OverlapPolicy; waitSeconds: number | undefined } {
  if (options.out !== undefined || options.fresh || options.json)
    throw new UsageError("--cron cannot be combined with --out, --fresh or --json");
  const overlap = options.overlap ?? (options.lockWait === undefined ? pipeline.overlap : "wait");
  if (!OVERLAP_POLICIES.includes(overlap)) throw new UsageError(`--overlap ${overlap}: it must be skip, wait or fail`);
  if (options.lockWait === undefined) return { overlap: overlap as OverlapPolicy, waitSeconds: undefined };
  if (overlap !== "wait") throw new UsageError("--lock-wait requires --overlap wait");
  return { overlap, waitSeconds: parseDurationOption("--lock-wait", options.lockWait) };
}

function pruneAndLog(pipeline: Pipeline, log: (line: string) => void): void {
  if (pipeline.retention === undefined) return;
  const { removed, left } = pruneRuns(pipeline, pipeline.retention, Date.now());
  for (const name of removed) log(`removed: ${name}`);
  for (const name of left)
    log(`not removed, because it holds files that are not muster's: ${join(scheduledRunsFolder(pipeline), name)}`);
}
