import { join } from "node:path";
import { acquireCronLock, scheduledRunsFolder } from "../executor/pipeline/cronlock.js";
import type { OverlapPolicy, Pipeline } from "../executor/pipeline/pipeline.js";
import { runPipeline } from "../executor/pipeline/pipelinerun.js";
import { pruneRuns } from "../executor/pipeline/pruneruns.js";
import type { StepSelection } from "../executor/pipeline/stepselection.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { formatPipelineFailure } from "../report/pipelinetext.js";
import { buildPipelineMetrics } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { parseDurationOption } from "./duration.js";
import { writeRunMetrics } from "./metricsfile.js";
import { notifyError, notifyFinished } from "./notifications.js";
import { createPipelineContext, exitStatusOfPipeline } from "./pipelinecontext.js";
import type { RunCommandOptions } from "./run.js";
import { handleStopSignals } from "./signals.js";

const OVERLAP_POLICIES = ["skip", "wait", "fail"];

/**
 * `muster run --cron PIPELINE`: silent where all is well, for cron mails whatever is printed; else a few lines on stderr. What is
 * done otherwise is in the pipeline's log. Answers the exit code.
 */
export async function runFromCron(
  pipeline: Pipeline,
  selection: StepSelection,
  inventory: Inventory,
  nodes: Node[],
  options: RunCommandOptions,
  writers: Writers,
): Promise<number> {
  const { overlap, wait } = parseOverlapOptions(pipeline, options);
  const stop = handleStopSignals({ out: () => {}, err: () => {} });
  const turn = await acquireCronLock(pipeline, selection, { overlap, waitSeconds: wait, stop: stop.signal });
  if (turn === undefined) return 0;
  try {
    turn.log(`began: ${turn.path}`);
    const means = createPipelineContext(inventory, nodes, { ...options, quiet: true }, stop.signal, () => {});
    const { summary } = await runPipeline(pipeline, turn.path, selection, means, { begin() {}, step() {} });
    const exit = exitStatusOfPipeline(summary, stop.code());
    turn.log(`${summary.state} after ${summary.seconds} s, exit ${exit}: ${turn.path}`);
    if (summary.state !== "complete") writers.err(formatPipelineFailure(summary));
    for (const line of await notifyFinished(pipeline, summary, exit)) writers.err(line);
    writeRunMetrics(
      options.metrics ?? pipeline.metrics,
      buildPipelineMetrics(summary, exit, Date.now() / 1000),
      writers,
    );
    return exit;
  } catch (error) {
    if (error instanceof MusterError) turn.log(`stopped, exit ${error.exitStatus}: ${error.message}`);
    for (const line of await notifyError(pipeline, error)) writers.err(line);
    throw error;
  } finally {
    pruneAndLog(pipeline, turn.log);
    turn.release();
    stop.release();
  }
}

function parseOverlapOptions(
  pipeline: Pipeline,
  options: RunCommandOptions,
): { overlap: OverlapPolicy; wait: number | undefined } {
  if (options.out !== undefined || options.fresh || options.json)
    throw new UsageError("--cron goes with none of --out, --fresh and --json");
  const overlap = options.overlap ?? (options.lockWait === undefined ? pipeline.overlap : "wait");
  if (!OVERLAP_POLICIES.includes(overlap)) throw new UsageError(`--overlap ${overlap}: it must be skip, wait or fail`);
  if (options.lockWait === undefined) return { overlap: overlap as OverlapPolicy, wait: undefined };
  if (overlap !== "wait") throw new UsageError("--lock-wait goes with --overlap wait");
  return { overlap, wait: parseDurationOption("--lock-wait", options.lockWait) };
}

function pruneAndLog(pipeline: Pipeline, log: (line: string) => void): void {
  if (pipeline.retention === undefined) return;
  const { removed, left } = pruneRuns(pipeline, pipeline.retention, Date.now());
  for (const name of removed) log(`removed: ${name}`);
  for (const name of left)
    log(`not removed, for it holds what muster has not put there: ${join(scheduledRunsFolder(pipeline), name)}`);
}
