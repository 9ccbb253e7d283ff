import { join, resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import type { Pipeline, PipelineStep } from "../executor/pipeline/pipeline.js";
import { replayPipeline } from "../executor/pipeline/previousruns.js";
import { loadStepJob } from "../executor/pipeline/stepjob.js";
import { hasResults } from "../executor/pipeline/stepstate.js";
import { describeUnknownJob } from "../executor/pipeline/unknownjob.js";
import { type ClusterPlan, planClusters } from "../executor/run/pilots/plancluster.js";
import { loadQueuedTasks } from "../executor/run/queue/queuedwork.js";
import { readLearnedRates } from "../executor/run/record/ratesfile.js";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import { planJob, type RunPlan } from "../executor/schedule/plan/planjob.js";
import { matchesAnyPattern } from "../fleet/inventory.js";
import { formatPipelinePlan } from "../report/pipelineplantext.js";
import type { Writers } from "../report/writers.js";
import { MusterError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import type { RunCommandOptions } from "./options.js";
import type { LoadedPipeline } from "./pipelinecontext.js";

/**
 * Prints what a pipeline would do. A job that a step makes is planned where the run that would be resumed has its file. Returns 0;
 * throws InvalidFile where that file is invalid.
 */
export function printPipelinePlan(
  loaded: LoadedPipeline,
  notes: string[],
  options: RunCommandOptions,
  writers: Writers,
): number {
  const { pipeline, inventory, nodes, clusters } = loaded;
  const path = resolveRunPath(
    pipeline,
    options.out === undefined ? undefined : resolve(options.out),
    options.fresh === true,
  );
  const plans = new Map<string, RunPlan>();
  const clusterPlans = new Map<string, ClusterPlan[]>();
  for (const step of pipeline.steps) {
    const job = findJob(loaded, path, step);
    if (job === undefined) continue;
    const isOneQueue = job.queue !== undefined && step.each === undefined;
    const done = isOneQueue ? loadQueuedTasks(join(path, step.name), job) : undefined;
    clusterPlans.set(step.name, planClusters(job, clusters, matchesAnyPattern, done?.size()));
    plans.set(step.name, planJob(job, nodes, matchesAnyPattern, readLearnedRates(inventory.file, job.work), done));
  }
  const steps = pipeline.steps.map((step) => ({
    step: step.name,
    kind: step.action.kind,
    needs: step.needs,
    plan: plans.get(step.name),
    clusters: clusters.length === 0 ? undefined : clusterPlans.get(step.name),
    unknown: plans.has(step.name) ? undefined : describeUnknownJob(step),
  }));
  if (options.json) writers.out(formatJson({ pipeline: pipeline.name, steps, notes }, 2));
  else writers.out(formatPipelinePlan(pipeline, plans, clusterPlans));
  return 0;
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
