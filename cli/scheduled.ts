import { join } from "node:path";
import type { Overlap, Pipeline } from "../executor/pipeline/pipeline.js";
import { prune } from "../executor/pipeline/prune.js";
import { runPipeline } from "../executor/pipeline/run.js";
import { runsOf, takeTurn } from "../executor/pipeline/scheduled.js";
import type { Selection } from "../executor/pipeline/selection.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { pipelineFamilies } from "../report/metrics.js";
import { pipelineTrouble } from "../report/pipeline.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { announce, announceError } from "./announce.js";
import { durationOption } from "./duration.js";
import { exitOfPipeline, meansFor } from "./means.js";
import { writeRunMetrics } from "./metrics.js";
import type { RunVerbOptions } from "./run.js";
import { stopSignals } from "./stop.js";

const OVERLAPS = ["skip", "wait", "fail"];

/**
 * `muster run --cron PIPELINE`: silent where all is well, for cron mails whatever is printed; else a few lines on stderr. What is
 * done otherwise is in the pipeline's log. Answers the exit code.
 */
export async function runScheduled(
  pipeline: Pipeline,
  selection: Selection,
  inventory: Inventory,
  nodes: Node[],
  options: RunVerbOptions,
  writers: Writers,
): Promise<number> {
  const { overlap, wait } = readPatience(pipeline, options);
  const stop = stopSignals({ out: () => {}, err: () => {} });
  const turn = await takeTurn(pipeline, selection, { overlap, wait, stop: stop.signal });
  if (turn === undefined) return 0;
  try {
    turn.log(`began: ${turn.path}`);
    const means = meansFor(inventory, nodes, { ...options, quiet: true }, stop.signal, () => {});
    const { summary } = await runPipeline(pipeline, turn.path, selection, means, { begin() {}, step() {} });
    const exit = exitOfPipeline(summary, stop.code());
    turn.log(`${summary.state} after ${summary.seconds} s, exit ${exit}: ${turn.path}`);
    if (summary.state !== "complete") writers.err(pipelineTrouble(summary));
    for (const line of await announce(pipeline, summary, exit)) writers.err(line);
    writeRunMetrics(options.metrics ?? pipeline.metrics, pipelineFamilies(summary, exit, Date.now() / 1000), writers);
    return exit;
  } catch (error) {
    if (error instanceof MusterError) turn.log(`stopped, exit ${error.exit}: ${error.message}`);
    for (const line of await announceError(pipeline, error)) writers.err(line);
    throw error;
  } finally {
    pruneOld(pipeline, turn.log);
    turn.release();
    stop.release();
  }
}

function readPatience(pipeline: Pipeline, options: RunVerbOptions): { overlap: Overlap; wait: number | undefined } {
  if (options.out !== undefined || options.fresh || options.json)
    throw new UsageError("--cron goes with none of --out, --fresh and --json");
  const overlap = options.overlap ?? (options.lockWait === undefined ? pipeline.overlap : "wait");
  if (!OVERLAPS.includes(overlap)) throw new UsageError(`--overlap ${overlap}: it must be skip, wait or fail`);
  if (options.lockWait === undefined) return { overlap: overlap as Overlap, wait: undefined };
  if (overlap !== "wait") throw new UsageError("--lock-wait goes with --overlap wait");
  return { overlap, wait: durationOption("--lock-wait", options.lockWait) };
}

function pruneOld(pipeline: Pipeline, log: (line: string) => void): void {
  if (pipeline.keep === undefined) return;
  const { removed, left } = prune(pipeline, pipeline.keep, Date.now());
  for (const name of removed) log(`removed: ${name}`);
  for (const name of left)
    log(`not removed, for it holds what muster has not put there: ${join(runsOf(pipeline), name)}`);
}
