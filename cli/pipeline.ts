import { resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { loadPipeline } from "../executor/pipeline/load.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import { runPipeline } from "../executor/pipeline/run.js";
import type { Selection } from "../executor/pipeline/selection.js";
import { runPath } from "../executor/run/record/claim.js";
import { recall } from "../executor/run/record/ratesfile.js";
import { planJob } from "../executor/schedule/plan/plan.js";
import { embeddedInventory, findInventory, type Inventory, matches, selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { loadPlaybooks } from "../playbooks/engine/load.js";
import { pipelineFamilies } from "../report/metrics.js";
import { pipelinePlanText, pipelineText, stepText } from "../report/pipeline.js";
import type { Writers } from "../report/writers.js";
import { InvalidFile, MusterError, UsageError } from "../schemas/errors.js";
import { suggest } from "../schemas/nearest.js";
import { jsonText } from "../schemas/printable.js";
import { announce, announceError, announceRefused } from "./announce.js";
import { limitNotes } from "./limits.js";
import { exitOfPipeline, meansFor } from "./means.js";
import { writeRunMetrics } from "./metrics.js";
import { type RunVerbOptions, refusePatience } from "./run.js";
import { runScheduled } from "./scheduled.js";
import { settings } from "./settings.js";
import { stopSignals } from "./stop.js";
import { whence } from "./whence.js";

/** `muster run PIPELINE`: checks everything, runs the steps, and prints what became of them. Answers the exit code. */
export async function runPipelineFile(file: string, options: RunVerbOptions, writers: Writers): Promise<number> {
  if (options.range !== undefined)
    throw new UsageError("--range is for jobs", "In a pipeline a step has its own `range`.");
  const { inventory, nodes, pipeline, selection } = await prepare(file, options).catch(async (error) => {
    for (const line of options.plan ? [] : await announceRefused(file, error)) writers.err(line);
    throw error;
  });
  const notes = limitNotes(jobsOf(pipeline), nodes);
  if (!options.quiet && !options.cron) for (const note of notes) writers.err(note);
  if (options.plan) return plan(pipeline, inventory, nodes, notes, options, writers);
  if (!options.quiet && !options.json && !options.cron) writers.err(whence(inventory, options.inventory !== undefined));
  if (options.cron) return runScheduled(pipeline, selection, inventory, nodes, options, writers);
  refusePatience(options);
  const stop = stopSignals(writers);
  try {
    const path = runPath(
      pipeline,
      options.out === undefined ? undefined : resolve(options.out),
      options.fresh === true,
    );
    const say = options.quiet || options.json ? () => {} : (line: string) => writers.err(line);
    const means = meansFor(inventory, nodes, options, stop.signal, say);
    const { summary, already } = await runPipeline(pipeline, path, selection, means, {
      begin: (where) => say(`run directory: ${where}`),
      step: (step) => say(stepText(step)),
    });
    if (options.json) writers.out(jsonText({ ...summary, already, notes }, 2));
    else if (!options.quiet || summary.state !== "complete") writers.out(pipelineText(summary, already));
    const exit = exitOfPipeline(summary, stop.code());
    if (!already) for (const line of await announce(pipeline, summary, exit)) writers.err(line);
    writeRunMetrics(options.metrics ?? pipeline.metrics, pipelineFamilies(summary, exit, Date.now() / 1000), writers);
    return exit;
  } catch (error) {
    for (const line of await announceError(pipeline, error)) writers.err(line);
    throw error;
  } finally {
    stop.release();
  }
}

/** Reads and checks all that a run needs, before anything happens. */
async function prepare(file: string, options: RunVerbOptions) {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, options.limit);
  const pipeline = await checkedPipeline(file, inventory, settings(options.set));
  return { inventory, nodes, pipeline, selection: selectionOf(options, pipeline) };
}

/**
 * A pipeline with everything that it names: job files, and the playbooks of every step and job. Without an inventory what depends
 * on it is not checked. Rejects with InvalidFile.
 */
export async function checkedPipeline(
  file: string,
  inventory: Inventory | undefined,
  set: Record<string, string> = {},
): Promise<Pipeline> {
  const pipeline = loadPipeline(file, { set, inventory });
  for (const { work, place, name } of pipeline.steps) {
    const wanted =
      work.kind === "job"
        ? { names: work.job.needs.playbooks, place }
        : work.kind === "command"
          ? { names: [], place }
          : { names: work.playbooks, place: work.place };
    try {
      if (wanted.names.length > 0) await loadPlaybooks(wanted.names, inventory ?? embeddedInventory());
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      throw new InvalidFile([{ ...wanted.place, message: `steps.${name}: ${error.message}`, hint: error.next }]);
    }
  }
  return pipeline;
}

function selectionOf({ from, only }: RunVerbOptions, pipeline: Pipeline): Selection {
  if (from !== undefined && only !== undefined) throw new UsageError("--from and --only do not go together");
  const step = from ?? only;
  if (step === undefined) return { kind: "all" };
  const names = pipeline.steps.map(({ name }) => name);
  if (!names.includes(step)) throw new UsageError(`the pipeline has no step "${step}"`, suggest(step, names));
  return { kind: from === undefined ? "only" : "from", step };
}

/** The jobs of its steps. */
export function jobsOf(pipeline: Pipeline): Job[] {
  return pipeline.steps.flatMap(({ work }) => (work.kind === "job" ? [work.job] : []));
}

function plan(
  pipeline: Pipeline,
  inventory: Inventory,
  nodes: Node[],
  notes: string[],
  options: RunVerbOptions,
  writers: Writers,
): number {
  const plans = new Map(
    pipeline.steps.flatMap(({ name, work }) =>
      work.kind === "job"
        ? [[name, planJob(work.job, nodes, matches, recall(inventory.file, work.job.name))] as const]
        : [],
    ),
  );
  const steps = pipeline.steps.map(({ name, needs, work }) => ({
    step: name,
    kind: work.kind,
    needs,
    plan: plans.get(name),
  }));
  if (options.json) writers.out(jsonText({ pipeline: pipeline.name, steps, notes }, 2));
  else writers.out(pipelinePlanText(pipeline, plans));
  return 0;
}
