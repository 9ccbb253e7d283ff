import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { ratesFilePath, readLearnedRates } from "../executor/run/record/ratesfile.js";
import type { RunSummary } from "../executor/run/record/runsummary.js";
import { runJob } from "../executor/run/run.js";
import { planJob } from "../executor/schedule/plan/planjob.js";
import { type Inventory, matchesAnyPattern } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { formatPlan } from "../report/plantext.js";
import { PlainProgress, silentProgress } from "../report/progressplain.js";
import { describeProject, formatProject } from "../report/projecttext.js";
import { buildRunMetrics } from "../report/prometheus.js";
import { formatSummary } from "../report/summarytext.js";
import type { Writers } from "../report/writers.js";
import { formatJson } from "../schemas/escape.js";
import { createAdmissionCheck, formatLockWait } from "./admissioncheck.js";
import { checkProfileLimits } from "./checkprofilelimits.js";
import { describeInventory } from "./describeinventory.js";
import { createLiveDisplay } from "./livedisplay.js";
import { writeRunMetrics } from "./metricsfile.js";
import type { CommonOptions, RunCommandOptions } from "./options.js";
import type { ResultPrinter } from "./resultprinter.js";
import { handleStopSignals } from "./signals.js";
import { listenToRun, type StartListener } from "./startlistener.js";

/** A job that was loaded, and the nodes that may work on it. */
export interface LoadedJob {
  inventory: Inventory;
  nodes: Node[];
  job: Job;
}

/** What commands other than `muster run` add to a run. `results` prints what chunks print. */
export interface RunExtras {
  results?: ResultPrinter;
  listener?: StartListener;
}

/**
 * Runs a job, or with `--plan` shows what would run, and prints the result: its summary on stdout; or, with `results`, what the chunks
 * printed, and the summary on stderr. Returns the exit status.
 */
export async function performJob(
  { inventory, nodes, job }: LoadedJob,
  options: RunCommandOptions,
  writers: Writers,
  { results, listener }: RunExtras = {},
): Promise<number> {
  const notes = checkProfileLimits([job], nodes);
  if (!options.quiet) for (const note of notes) writers.err(note);
  if (options.plan) {
    const plan = planJob(job, nodes, matchesAnyPattern, readLearnedRates(inventory.file, job.work));
    if (options.json) writers.out(formatJson({ ...plan, project: describeProject(job), notes }, 2));
    else writers.out(options.verbose ? `${formatProject(job)}\n${formatPlan(plan)}` : formatPlan(plan));
    return 0;
  }
  if (!options.quiet && !options.json) writers.err(describeInventory(inventory, options.inventory !== undefined));
  // What chunks print must not be drawn over.
  const display = results !== undefined && process.stdout.isTTY ? undefined : await createLiveDisplay(options);
  const shown = display?.writers(writers) ?? writers;
  const onWait = (node: string) => {
    if (!options.quiet) shown.err(formatLockWait(node));
  };
  const inspection = await createAdmissionCheck(job, inventory, options.provision === true, onWait);
  const progress = display?.createObserver() ?? createPlainProgress(options, writers);
  const observer = results === undefined ? progress : results.observe(progress);
  const stop = handleStopSignals(shown);
  try {
    const { summary, wasComplete: already } = await runJob(job, nodes, {
      out: outOf(options),
      fresh: options.fresh === true,
      adopt: options.adopt === true,
      inventory: inventory.file ?? "local",
      stopSignal: stop.signal,
      isSelected: matchesAnyPattern,
      observer: listener === undefined ? observer : listenToRun(observer, listener),
      ratesFile: ratesFilePath(inventory.file),
      verifyNode: inspection,
    });
    progress.end();
    await results?.finish(summary.directory);
    printSummary(
      job,
      { summary, already, notes },
      options,
      results === undefined ? writers : { ...writers, out: writers.err },
    );
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

/** Returns the absolute path of `--out`. */
export function outOf({ out }: RunCommandOptions): string | undefined {
  return out === undefined ? undefined : resolve(out);
}

/** Returns progress in lines; none where they are not wanted. */
export function createPlainProgress(options: CommonOptions, writers: Writers) {
  return options.quiet || (options.json && !process.stderr.isTTY) ? silentProgress : new PlainProgress(writers);
}

function printSummary(
  job: Job,
  { summary, already, notes }: { summary: RunSummary; already: boolean; notes: string[] },
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
export function findOwnResults(directory: string): string | undefined {
  const folder = join(directory, "results");
  return existsSync(folder) && readdirSync(folder).length > 0 ? folder : undefined;
}

/** Returns the exit status of a run that has ended. `signal`: the status for the signal that interrupted it. */
export function exitStatusOfRun({ state, session }: RunSummary, signal: number | undefined): number {
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
