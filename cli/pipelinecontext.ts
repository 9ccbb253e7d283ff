import type { StepSelection } from "../executor/pipeline/dependencies.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import type { PipelineSummary } from "../executor/pipeline/pipelinesummary.js";
import type { PipelineContext, PipelineObserver, PlaybookRunner } from "../executor/pipeline/stepcontext.js";
import { hasResults } from "../executor/pipeline/stepstate.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import type { Cluster } from "../fleet/slurm/cluster.js";
import { createAdmissionCheck, formatLockWait } from "../launch/admissioncheck.js";
import { checkProfileLimits } from "../launch/checkprofilelimits.js";
import { createRunHealing } from "../launch/runhealing.js";
import { formatStep } from "../report/pipelinetext.js";
import { PlainProgress, silentProgress } from "../report/progressplain.js";
import { buildPipelineMetrics } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { writeRunMetrics } from "./metricsfile.js";
import { notifyFinished } from "./notifications.js";
import type { RunCommandOptions } from "./options.js";
import { runPlaybookStep } from "./playbooks.js";

/** A pipeline that has been loaded and checked, with the selected steps and nodes. */
export interface LoadedPipeline {
  pipeline: Pipeline;
  selection: StepSelection;
  inventory: Inventory;
  nodes: Node[];
  clusters: Cluster[];
}

/** Returns the state that the steps share in the run directory `path`. */
export function createPipelineContext(
  { pipeline, inventory, nodes, clusters }: LoadedPipeline,
  path: string,
  options: RunCommandOptions,
  stop: AbortSignal,
): PipelineContext {
  return {
    pipeline,
    path,
    inventory,
    nodes,
    clusters,
    stop,
    adopt: options.adopt === true,
    overwrite: options.overwrite === true,
  };
}

/** Returns what steps need of playbooks. With `--provision` it also provisions nodes that have drifted. */
export function createPlaybookRunner(
  { inventory, nodes }: LoadedPipeline,
  options: RunCommandOptions,
  print: (line: string) => void,
): PlaybookRunner {
  const onWait = (node: string) => print(formatLockWait(node));
  return {
    checkJob: (job, step) => {
      for (const note of checkProfileLimits([job], nodes)) print(`[${step}] ${note}`);
    },
    createInspection: (job) => createAdmissionCheck(job, inventory, options.provision === true, onWait),
    createHealing: () => createRunHealing(inventory),
    run: (kind, names, selected, step) =>
      runPlaybookStep(kind, names, selected, inventory, (line) => print(`[${step}] ${line}`)),
  };
}

/** Returns an observer that prints a line for each event; lines of a step's job begin with `[STEP]`. */
export function createPipelineObserver(print: (line: string) => void): PipelineObserver {
  return {
    begin: (path) => print(`run directory: ${path}`),
    step: (step) => print(formatStep(step)),
    job: (step) => new PlainProgress({ out: print, err: (text) => print(`[${step}] ${text}`) }),
  };
}

/** An observer that ignores every event. */
export const silentPipelineObserver: PipelineObserver = { begin() {}, step() {}, job: () => silentProgress };

/** Sends the notifications of a run that has finished and writes its metrics. Problems with either are only printed. */
export async function publishOutcome(
  pipeline: Pipeline,
  summary: PipelineSummary,
  exit: number,
  options: RunCommandOptions,
  writers: Writers,
): Promise<void> {
  for (const line of await notifyFinished(pipeline, summary, exit)) writers.err(line);
  writePipelineMetrics(pipeline, summary, exit, options, writers);
}

/** Writes the metrics of a run to the file of `--metrics`, or else to the file that the pipeline names. */
export function writePipelineMetrics(
  pipeline: Pipeline,
  summary: PipelineSummary,
  exit: number,
  options: RunCommandOptions,
  writers: Writers,
): void {
  const families = buildPipelineMetrics(summary, exit, Date.now() / 1000);
  writeRunMetrics(options.metrics ?? pipeline.metrics, families, writers);
}

/**
 * Returns the exit status of a pipeline: that of its failed steps where all of them agree and either no job or command is done
 * or the status is 2 or 75; else 3.
 */
export function exitStatusOfPipeline({ state, steps }: PipelineSummary, signal: number | undefined): number {
  if (state === "complete") return 0;
  if (state === "interrupted") return signal ?? 130;
  const statuses = new Set(steps.flatMap(({ exit }) => (exit === undefined ? [] : [exit])));
  const [status] = statuses;
  const hasWork = steps.some((step) => hasResults(step.state) && (step.kind === "job" || step.kind === "command"));
  const isAgreed = statuses.size === 1 && status !== undefined;
  return isAgreed && (status === 2 || status === 75 || !hasWork) ? status : 3;
}
