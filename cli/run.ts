import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { loadJob } from "../executor/job/loadjob.js";
import { loadForRun } from "../executor/run/record/ownresults.js";
import { ratesFilePath, readLearnedRates } from "../executor/run/record/ratesfile.js";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import type { RunSummary } from "../executor/run/record/runsummary.js";
import { runJob } from "../executor/run/run.js";
import { planJob } from "../executor/schedule/plan/planjob.js";
import { findInventory, type Inventory, matchesAnyPattern, selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { formatPlan } from "../report/plantext.js";
import { PlainProgress, silentProgress } from "../report/progressplain.js";
import { describeProject, formatProject } from "../report/projecttext.js";
import { buildRunMetrics } from "../report/prometheus.js";
import { formatSummary } from "../report/summarytext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { detectFileKind } from "../schemas/filekind.js";
import { readSource } from "../schemas/parsesource.js";
import type { Source } from "../schemas/source.js";
import { createAdmissionCheck, formatLockWait } from "./admissioncheck.js";
import { checkProfileLimits } from "./checkprofilelimits.js";
import { describeInventory } from "./describeinventory.js";
import { createLiveDisplay } from "./livedisplay.js";
import { writeRunMetrics } from "./metricsfile.js";
import { parseRangeOption, parseSetOptions, type RunCommandOptions, rejectCronOnlyOptions } from "./options.js";
import { handleStopSignals } from "./signals.js";

/** `muster run FILE`: checks everything, runs the job or the pipeline, and prints the result. Returns the exit status. */
export async function run(file: string, options: RunCommandOptions, writers: Writers): Promise<number> {
  const loaded = await loadJobFile(file, options);
  if (loaded.kind === "pipeline") {
    const { runPipelineFile } = await import("./runpipeline.js");
    return runPipelineFile(resolve(file), options, writers);
  }
  const { inventory, nodes, job } = loaded;
  const notes = checkProfileLimits([job], nodes);
  if (!options.quiet) for (const note of notes) writers.err(note);
  if (options.plan) {
    const plan = planJob(job, nodes, matchesAnyPattern, readLearnedRates(inventory.file, job.work));
    if (options.json) writers.out(formatJson({ ...plan, project: describeProject(job), notes }, 2));
    else writers.out(options.verbose ? `${formatProject(job)}\n${formatPlan(plan)}` : formatPlan(plan));
    return 0;
  }
  if (!options.quiet && !options.json) writers.err(describeInventory(inventory, options.inventory !== undefined));
  const display = await createLiveDisplay(options);
  const shown = display?.writers(writers) ?? writers;
  const onWait = (node: string) => {
    if (!options.quiet) shown.err(formatLockWait(node));
  };
  const inspection = await createAdmissionCheck(job, inventory, options.provision === true, onWait);
  const progress = display?.createObserver() ?? createPlainProgress(options, writers);
  const stop = handleStopSignals(shown);
  try {
    const { summary, wasComplete: already } = await runJob(job, nodes, {
      out: outOf(options),
      fresh: options.fresh === true,
      adopt: options.adopt === true,
      inventory: inventory.file ?? "local",
      stopSignal: stop.signal,
      isSelected: matchesAnyPattern,
      observer: progress,
      ratesFile: ratesFilePath(inventory.file),
      verifyNode: inspection,
    });
    progress.end();
    printSummary(job, summary, already, notes, options, writers);
    const exit = exitStatusOfRun(summary, stop.code());
    writeRunMetrics(options.metrics, buildRunMetrics(summary, exit, Date.now() / 1000), writers);
    return exit;
  } catch (error) {
    progress.end();
    throw error;
  } finally {
    stop.release();
  }
}

/** What FILE is: a pipeline, or a job with the nodes that it may run on. */
type LoadedFile = { kind: "pipeline" } | { kind: "job"; inventory: Inventory; nodes: Node[]; job: Job };

/** Loads a job. The file is read only once, because reading a large one takes seconds. */
async function loadJobFile(file: string, options: RunCommandOptions): Promise<LoadedFile> {
  const source = readSource(resolve(file));
  if (detectFileKind(source) === "pipeline") return { kind: "pipeline" };
  if (options.from !== undefined || options.only !== undefined || options.cron)
    throw new UsageError("--from, --only and --cron are for pipelines", `${file} is a job.`);
  rejectCronOnlyOptions(options);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, options.limit);
  const jobOptions = {
    set: parseSetOptions(options.set),
    range: parseRangeOption(options.range),
    results: options.results === undefined ? undefined : resolve(options.results),
    overwrite: options.overwrite,
    inventory,
  };
  let unread: Source | undefined = source;
  const load = (ownResults: ReadonlySet<string>) => {
    // Options are written into the source, so it is loaded once.
    const job = loadJob(unread ?? readSource(resolve(file)), { ...jobOptions, ownResults });
    unread = undefined;
    return job;
  };
  const job = await loadForRun(load, (one) => resolveRunPath(one, outOf(options), options.fresh === true));
  if (options.overwrite && job.results === undefined)
    throw new UsageError("--overwrite needs a folder of results", "Add --results DIR.");
  return { kind: "job", inventory, nodes, job };
}

function outOf({ out }: RunCommandOptions): string | undefined {
  return out === undefined ? undefined : resolve(out);
}

function createPlainProgress(options: RunCommandOptions, writers: Writers) {
  return options.quiet || (options.json && !process.stderr.isTTY) ? silentProgress : new PlainProgress(writers);
}

function printSummary(
  job: Job,
  summary: RunSummary,
  already: boolean,
  notes: string[],
  options: RunCommandOptions,
  writers: Writers,
): void {
  if (options.json) writers.out(formatJson({ ...summary, already, notes }, 2));
  else if (!options.quiet || summary.state !== "complete") {
    const folder = summary.results ?? findOwnResults(summary.directory);
    writers.out(formatSummary(summary, already, { aggregate: findAggregate(job, summary), folder }));
    if (already && options.overwrite)
      writers.err("--overwrite changes nothing in a complete run; add --fresh to run it again");
  }
}

/** Returns the name of the aggregate, where it was written. */
function findAggregate({ aggregate }: Job, { directory }: RunSummary): string | undefined {
  return aggregate !== undefined && existsSync(join(directory, aggregate.to)) ? aggregate.to : undefined;
}

/** Returns the folder of results in a run directory; undefined if it holds no file. */
function findOwnResults(directory: string): string | undefined {
  const folder = join(directory, "results");
  return existsSync(folder) && readdirSync(folder).length > 0 ? folder : undefined;
}

function exitStatusOfRun({ state, session }: RunSummary, signal: number | undefined): number {
  switch (state) {
    case "complete":
      return 0;
    case "interrupted":
    case "cancelled":
      return signal ?? 130;
    case "stranded":
      return session.chunks > 0 ? 3 : 69;
    case "superseded":
      return 75;
    case "partial":
    case "halted":
    case "broken":
      return 3;
    default:
      return state satisfies never;
  }
}
