import { resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import type { StepSelection } from "../executor/pipeline/dependencies.js";
import { loadPipeline } from "../executor/pipeline/loadpipeline.js";
import type { Pipeline, PipelineStep } from "../executor/pipeline/pipeline.js";
import { runPipeline } from "../executor/pipeline/pipelinerun.js";
import type { PipelineObserver } from "../executor/pipeline/stepcontext.js";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import { embeddedInventory, findInventory, type Inventory, selectFleet } from "../fleet/inventory.js";
import { checkProfileLimits } from "../launch/checkprofilelimits.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import { formatPipelineSummary } from "../report/pipelinetext.js";
import type { TtyProgress } from "../report/progresstty.js";
import type { Writers } from "../report/writers.js";
import { type FilePosition, InvalidFileError, MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import { describeInventory } from "./describeinventory.js";
import { createLiveDisplay, createPipelineDisplay } from "./livedisplay.js";
import { notifyError, notifyRejectedFile } from "./notifications.js";
import { parseSetOptions, type RunCommandOptions, rejectCronOnlyOptions } from "./options.js";
import {
  createPipelineContext,
  createPipelineObserver,
  createPlaybookRunner,
  exitStatusOfPipeline,
  type LoadedPipeline,
  publishOutcome,
  silentPipelineObserver,
  writePipelineMetrics,
} from "./pipelinecontext.js";
import { printPipelinePlan } from "./pipelineplan.js";
import { runFromCron } from "./runfromcron.js";
import { handleStopSignals } from "./signals.js";
import { listenToPipeline, type StartListener } from "./startlistener.js";

/**
 * `muster run PIPELINE`: checks everything, runs the steps and prints the result. `listener` is notified of the start. Returns the exit
 * status.
 */
export async function runPipelineFile(
  file: string,
  options: RunCommandOptions,
  writers: Writers,
  listener?: StartListener,
): Promise<number> {
  if (options.range !== undefined)
    throw new UsageError("--range is for jobs", "In a pipeline a step has its own `range`.");
  if (options.results !== undefined)
    throw new UsageError(
      "--results is for jobs",
      "In a pipeline, write `set: {results: DIR}` in a step, or `results` in its job.",
    );
  const loaded = await loadEverything(file, options).catch(async (error) => {
    for (const line of options.plan ? [] : await notifyRejectedFile(file, error)) writers.err(line);
    throw error;
  });
  const { pipeline, inventory, nodes } = loaded;
  const notes = checkProfileLimits(listJobs(pipeline), nodes);
  if (!options.quiet && !options.cron) for (const note of notes) writers.err(note);
  if (options.plan) return printPipelinePlan(loaded, notes, options, writers);
  if (options.cron) return runFromCron(loaded, options, writers);
  if (!options.quiet && !options.json) writers.err(describeInventory(inventory, options.inventory !== undefined));
  rejectCronOnlyOptions(options);
  return runNow(loaded, notes, options, writers, listener);
}

async function runNow(
  loaded: LoadedPipeline,
  notes: string[],
  options: RunCommandOptions,
  writers: Writers,
  listener: StartListener | undefined,
): Promise<number> {
  const { pipeline, selection } = loaded;
  const isSilent = options.quiet === true || options.json === true;
  const display = await createLiveDisplay({ ...options, quiet: isSilent });
  const shown = display?.writers(writers) ?? writers;
  const print = isSilent ? () => {} : (line: string) => shown.err(line);
  const observer = createObserver(pipeline, display, isSilent, print);
  const stop = handleStopSignals(shown);
  try {
    const out = options.out === undefined ? undefined : resolve(options.out);
    const path = resolveRunPath(pipeline, out, options.fresh === true);
    const { summary, already } = await runPipeline(
      createPipelineContext(loaded, path, options, stop.signal),
      selection,
      createPlaybookRunner(loaded, options, print),
      listener === undefined ? observer : listenToPipeline(observer, listener),
    );
    display?.end();
    if (options.json) writers.out(formatJson({ ...summary, already, notes }, 2));
    else if (!options.quiet || summary.state !== "complete")
      writers.out(formatPipelineSummary(summary, already, options.fresh));
    const selected = options.only ?? options.from;
    if (already && selected !== undefined && !options.quiet && !options.json)
      writers.err(
        `step ${selected} is complete; to execute it again, with the results of the other steps, add --fresh`,
      );
    const exit = exitStatusOfPipeline(summary, stop.code());
    if (already) writePipelineMetrics(pipeline, summary, exit, options, writers);
    else await publishOutcome(pipeline, summary, exit, options, writers);
    return exit;
  } catch (error) {
    display?.end();
    for (const line of await notifyError(pipeline, error)) writers.err(line);
    throw error;
  } finally {
    display?.end();
    stop.release();
  }
}

function createObserver(
  { name }: Pipeline,
  display: TtyProgress | undefined,
  isSilent: boolean,
  print: (line: string) => void,
): PipelineObserver {
  if (isSilent) return silentPipelineObserver;
  return display === undefined ? createPipelineObserver(print) : createPipelineDisplay(display, name);
}

/** Reads and checks everything that a run needs before anything is started. */
async function loadEverything(file: string, options: RunCommandOptions): Promise<LoadedPipeline> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const { nodes, clusters } = selectFleet(inventory, options.limit);
  const pipeline = await loadCheckedPipeline(file, inventory, parseSetOptions(options.set));
  return { inventory, nodes, clusters, pipeline, selection: parseSelection(options, pipeline) };
}

/**
 * Loads a pipeline and everything that it names: job files, and the playbooks of every step and job. Checks that depend on the
 * inventory are left out without one. Rejects with InvalidFile, or with UsageError for `set` that does not fit.
 */
export async function loadCheckedPipeline(
  file: string,
  inventory: Inventory | undefined,
  set: Record<string, string> = {},
): Promise<Pipeline> {
  const pipeline = loadPipeline(file, { set, inventory });
  for (const step of pipeline.steps) {
    const { names, position } = namedPlaybooks(step);
    try {
      if (names.length > 0) await loadPlaybooks(names, inventory ?? embeddedInventory());
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      throw new InvalidFileError([{ ...position, message: `steps.${step.name}: ${error.message}`, hint: error.next }]);
    }
  }
  return pipeline;
}

/** Returns the playbooks that a step names, directly or in its job, and where. */
function namedPlaybooks({ action, position }: PipelineStep): { names: readonly string[]; position: FilePosition } {
  switch (action.kind) {
    case "job":
      return { names: action.job?.needs.playbooks ?? [], position };
    case "command":
      return { names: [], position };
    case "provision":
    case "verify":
      return { names: action.playbooks, position: action.position };
    default:
      return action satisfies never;
  }
}

function parseSelection({ from, only }: RunCommandOptions, pipeline: Pipeline): StepSelection {
  if (from !== undefined && only !== undefined) throw new UsageError("--from and --only cannot be combined");
  const step = from ?? only;
  if (step === undefined) return { kind: "all" };
  const names = pipeline.steps.map(({ name }) => name);
  if (!names.includes(step)) throw new UsageError(`the pipeline has no step "${step}"`, suggest(step, names));
  return { kind: from === undefined ? "only" : "from", step };
}

/** Returns the jobs of the steps, as far as they are known before the pipeline runs. */
export function listJobs(pipeline: Pipeline): Job[] {
  return pipeline.steps.flatMap(({ action }) => (action.kind === "job" ? (action.job ?? []) : []));
}
