import { join } from "node:path";
import { acquireCronLock, scheduledRunsFolder } from "../executor/pipeline/cronlock.js";
import { nodeWaitSeconds } from "../executor/pipeline/nodewait.js";
import type { OverlapPolicy, Pipeline } from "../executor/pipeline/pipeline.js";
import { runPipeline } from "../executor/pipeline/pipelinerun.js";
import { pruneRuns } from "../executor/pipeline/pruneruns.js";
import type { PlaybookRunner } from "../executor/pipeline/stepcontext.js";
import { type SilentNode, waitForNodes } from "../fleet/waitfornodes.js";
import { toPrintableText } from "../report/format.js";
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
  const lock = await acquireCronLock(pipeline, selection, { overlap, waitSeconds, stop: stop.signal }).catch(
    async (error) => {
      for (const line of await notifyError(pipeline, error)) writers.err(line);
      throw error;
    },
  );
  if (lock === undefined) return 0;
  try {
    lock.log(`began: ${lock.path}`);
    const missing = await awaitNodes(loaded, lock.log, stop.signal);
    for (const line of missing.map(formatMissingNode)) writers.err(line);
    const context = createPipelineContext(loaded, lock.path, options, stop.signal);
    const playbooks = leaveOut(
      missing,
      createPlaybookRunner(loaded, options, () => {}),
    );
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

/** Waits for nodes that are still booting, if the pipeline waits. Returns those that do not answer in time; the log says so. */
async function awaitNodes(
  { pipeline, selection, nodes }: LoadedPipeline,
  log: (line: string) => void,
  stop: AbortSignal,
): Promise<SilentNode[]> {
  const waitSeconds = nodeWaitSeconds(pipeline, selection);
  if (waitSeconds === 0) return [];
  const onWait = (silent: SilentNode[]) => {
    for (const { node, reason } of silent) log(`waiting up to ${waitSeconds} s for ${node.name}: ${reason}`);
  };
  const startedAt = performance.now();
  const missing = await waitForNodes(nodes, { waitSeconds, stop, onWait });
  const waited = Math.round((performance.now() - startedAt) / 1000);
  log(`waited ${waited} s for nodes; ${missing.length === 1 ? "1 is" : `${missing.length} are`} missing`);
  for (const one of missing) log(formatMissingNode(one));
  return missing;
}

function formatMissingNode({ node, reason }: SilentNode): string {
  return toPrintableText([`muster: continuing without ${node.name}, which did not answer in time: ${reason}`]);
}

/**
 * Keeps playbook steps from failing because of nodes that are known to be missing, unless all are. A job needs no such help: it begins with
 * the nodes that are there, and takes in others when they answer.
 */
function leaveOut(missing: SilentNode[], playbooks: PlaybookRunner): PlaybookRunner {
  const names = new Set(missing.map(({ node }) => node.name));
  return {
    ...playbooks,
    run: (kind, playbookNames, nodes, step) => {
      const there = nodes.filter(({ name }) => !names.has(name));
      return playbooks.run(kind, playbookNames, there.length > 0 ? there : nodes, step);
    },
  };
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
