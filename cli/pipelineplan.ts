import { join, resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { dependenciesOf, selectSteps } from "../executor/pipeline/dependencies.js";
import type { Pipeline, PipelineStep } from "../executor/pipeline/pipeline.js";
import { replayPipeline } from "../executor/pipeline/previousruns.js";
import { loadStepJob } from "../executor/pipeline/stepjob.js";
import { hasResults } from "../executor/pipeline/stepstate.js";
import { describeUnknownJob } from "../executor/pipeline/unknownjob.js";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import { formatPipelinePlan } from "../report/pipelineplantext.js";
import type { Writers } from "../report/writers.js";
import { EXIT_STATUS } from "../schemas/errorcodes.js";
import { MusterError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { type JobPlan, planJobOn } from "./jobplan.js";
import type { RunCommandOptions } from "./options.js";
import type { LoadedPipeline } from "./pipelinecontext.js";

/**
 * Prints what a pipeline would do. A job that a step makes is planned where the run that would be resumed has its file. Returns 0, or
 * 69 where a step that would be run has a job that no node may run; throws InvalidFile where that file is invalid.
 */
export function printPipelinePlan(
  loaded: LoadedPipeline,
  notes: string[],
  options: RunCommandOptions,
  writers: Writers,
): number {
  const { pipeline, clusters } = loaded;
  const plans = planSteps(loaded, options);
  const steps = pipeline.steps.map((step) => ({
    step: step.name,
    kind: step.action.kind,
    needs: step.needs,
    plan: plans.get(step.name)?.plan,
    clusters: clusters.length === 0 ? undefined : plans.get(step.name)?.clusters,
    unknown: plans.has(step.name) ? undefined : describeUnknownJob(step),
  }));
  if (options.json) writers.out(formatJson({ pipeline: pipeline.name, steps, notes }, 2));
  else writers.out(formatPipelinePlan(pipeline, plans));
  const selected = selectSteps(loaded.selection, dependenciesOf(pipeline));
  const refused = [...plans].filter(([step, { mayRun }]) => !mayRun && selected.has(step));
  if (!options.json)
    for (const [step] of refused) writers.err(`step ${step}: no node of the inventory may run this job`);
  return refused.length === 0 ? 0 : EXIT_STATUS.NO_NODE;
}

/** Plans each job that is known. */
function planSteps(loaded: LoadedPipeline, options: RunCommandOptions): Map<string, JobPlan> {
  const { pipeline } = loaded;
  const out = options.out === undefined ? undefined : resolve(options.out);
  const path = resolveRunPath(pipeline, out, options.fresh === true);
  const plans = new Map<string, JobPlan>();
  for (const step of pipeline.steps) {
    const job = findJob(loaded, path, step);
    if (job === undefined) continue;
    plans.set(step.name, planJobOn(loaded, job, step.each === undefined ? join(path, step.name) : undefined));
  }
  return plans;
}

/** Returns a line for each step whose job is not known before the pipeline runs. */
export function listUnknownJobs(pipeline: Pipeline): string[] {
  return pipeline.steps.flatMap((step) => {
    const unknown = describeUnknownJob(step);
    return unknown === undefined ? [] : [`step ${step.name}: ${unknown}`];
  });
}

function findJob({ pipeline, inventory }: LoadedPipeline, path: string, step: PipelineStep): Job | undefined {
  const { action } = step;
  if (action.kind !== "job") return undefined;
  if (action.job !== undefined || step.each !== undefined || action.source.kind !== "output") return action.job;
  const end = replayPipeline(path)?.endedSteps.get(action.source.step);
  if (end === undefined || !hasResults(end.state)) return undefined;
  try {
    return loadStepJob({ pipeline, path, inventory }, step, action);
  } catch (error) {
    if (error instanceof MusterError && error.code === "NO_RESULTS") return undefined;
    throw error;
  }
}
