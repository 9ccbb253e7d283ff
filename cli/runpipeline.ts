import { resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { loadPipeline } from "../executor/pipeline/loadpipeline.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import { runPipeline } from "../executor/pipeline/pipelinerun.js";
import type { StepSelection } from "../executor/pipeline/stepselection.js";
import { readLearnedRates } from "../executor/run/record/ratesfile.js";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import { planJob } from "../executor/schedule/plan/planjob.js";
import {
  embeddedInventory,
  findInventory,
  type Inventory,
  matchesAnyPattern,
  selectNodes,
} from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import { formatPipelinePlan, formatPipelineSummary, formatStep } from "../report/pipelinetext.js";
import { buildPipelineMetrics } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { InvalidFileError, MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import { checkProfileLimits } from "./checkprofilelimits.js";
import { describeInventory } from "./describeinventory.js";
import { writeRunMetrics } from "./metricsfile.js";
import { notifyError, notifyFinished, notifyRejectedFile } from "./notifications.js";
import { createPipelineContext, exitStatusOfPipeline } from "./pipelinecontext.js";
import { type RunCommandOptions, rejectCronOnlyOptions } from "./run.js";
import { runFromCron } from "./runfromcron.js";
import { parseSetOptions } from "./setoption.js";
import { handleStopSignals } from "./signals.js";

/** `muster run PIPELINE`: checks everything, runs the steps, and prints what became of them. Answers the exit code. */
export async function runPipelineFile(file: string, options: RunCommandOptions, writers: Writers): Promise<number> {
  if (options.range !== undefined)
    throw new UsageError("--range is for jobs", "In a pipeline a step has its own `range`.");
  const { inventory, nodes, pipeline, selection } = await loadEverything(file, options).catch(async (error) => {
    for (const line of options.plan ? [] : await notifyRejectedFile(file, error)) writers.err(line);
    throw error;
  });
  const notes = checkProfileLimits(listJobs(pipeline), nodes);
  if (!options.quiet && !options.cron) for (const note of notes) writers.err(note);
  if (options.plan) return printPlan(pipeline, inventory, nodes, notes, options, writers);
  if (!options.quiet && !options.json && !options.cron)
    writers.err(describeInventory(inventory, options.inventory !== undefined));
  if (options.cron) return runFromCron(pipeline, selection, inventory, nodes, options, writers);
  rejectCronOnlyOptions(options);
  const stop = handleStopSignals(writers);
  try {
    const path = resolveRunPath(
      pipeline,
      options.out === undefined ? undefined : resolve(options.out),
      options.fresh === true,
    );
    const say = options.quiet || options.json ? () => {} : (line: string) => writers.err(line);
    const means = createPipelineContext(inventory, nodes, options, stop.signal, say);
    const { summary, already } = await runPipeline(pipeline, path, selection, means, {
      begin: (where) => say(`run directory: ${where}`),
      step: (step) => say(formatStep(step)),
    });
    if (options.json) writers.out(formatJson({ ...summary, already, notes }, 2));
    else if (!options.quiet || summary.state !== "complete") writers.out(formatPipelineSummary(summary, already));
    const exit = exitStatusOfPipeline(summary, stop.code());
    if (!already) for (const line of await notifyFinished(pipeline, summary, exit)) writers.err(line);
    writeRunMetrics(
      options.metrics ?? pipeline.metrics,
      buildPipelineMetrics(summary, exit, Date.now() / 1000),
      writers,
    );
    return exit;
  } catch (error) {
    for (const line of await notifyError(pipeline, error)) writers.err(line);
    throw error;
  } finally {
    stop.release();
  }
}

/** Reads and checks all that a run needs, before anything happens. */
async function loadEverything(file: string, options: RunCommandOptions) {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, options.limit);
  const pipeline = await loadCheckedPipeline(file, inventory, parseSetOptions(options.set));
  return { inventory, nodes, pipeline, selection: parseSelection(options, pipeline) };
}

/**
 * A pipeline with everything that it names: job files, and the playbooks of every step and job. Without an inventory what depends
 * on it is not checked. Rejects with InvalidFile.
 */
export async function loadCheckedPipeline(
  file: string,
  inventory: Inventory | undefined,
  set: Record<string, string> = {},
): Promise<Pipeline> {
  const pipeline = loadPipeline(file, { set, inventory });
  for (const { action: work, place, name } of pipeline.steps) {
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
      throw new InvalidFileError([{ ...wanted.place, message: `steps.${name}: ${error.message}`, hint: error.next }]);
    }
  }
  return pipeline;
}

function parseSelection({ from, only }: RunCommandOptions, pipeline: Pipeline): StepSelection {
  if (from !== undefined && only !== undefined) throw new UsageError("--from and --only do not go together");
  const step = from ?? only;
  if (step === undefined) return { kind: "all" };
  const names = pipeline.steps.map(({ name }) => name);
  if (!names.includes(step)) throw new UsageError(`the pipeline has no step "${step}"`, suggest(step, names));
  return { kind: from === undefined ? "only" : "from", step };
}

/** The jobs of its steps. */
export function listJobs(pipeline: Pipeline): Job[] {
  return pipeline.steps.flatMap(({ action: work }) => (work.kind === "job" ? [work.job] : []));
}

function printPlan(
  pipeline: Pipeline,
  inventory: Inventory,
  nodes: Node[],
  notes: string[],
  options: RunCommandOptions,
  writers: Writers,
): number {
  const plans = new Map(
    pipeline.steps.flatMap(({ name, action: work }) =>
      work.kind === "job"
        ? [
            [
              name,
              planJob(work.job, nodes, matchesAnyPattern, readLearnedRates(inventory.file, work.job.name)),
            ] as const,
          ]
        : [],
    ),
  );
  const steps = pipeline.steps.map(({ name, needs, action: work }) => ({
    step: name,
    kind: work.kind,
    needs,
    plan: plans.get(name),
  }));
  if (options.json) writers.out(formatJson({ pipeline: pipeline.name, steps, notes }, 2));
  else writers.out(formatPipelinePlan(pipeline, plans));
  return 0;
}
