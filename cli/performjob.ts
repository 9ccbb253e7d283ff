import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { resolveRunPath } from "../executor/run/record/runlock.js";
import type { RunSummary } from "../executor/run/record/runsummary.js";
import { formatLockWait } from "../launch/admissioncheck.js";
import { launchJob } from "../launch/launchjob.js";
import type { LoadedJob } from "../launch/loadforlaunch.js";
import { judgeRun } from "../launch/runverdict.js";
import { formatHealSettings } from "../report/healtext.js";
import { formatPlan } from "../report/plantext.js";
import { PlainProgress, silentProgress } from "../report/progressplain.js";
import { describeProject, formatProject } from "../report/projecttext.js";
import { buildRunMetrics } from "../report/prometheus.js";
import { formatSummary } from "../report/summarytext.js";
import type { Writers } from "../report/writers.js";
import { EXIT_STATUS } from "../schemas/errorcodes.js";
import { formatJson } from "../schemas/escape.js";
import { describeInventory } from "./describeinventory.js";
import { planJobOn } from "./jobplan.js";
import { JsonLines } from "./jsonlines.js";
import { createLiveDisplay } from "./livedisplay.js";
import { writeRunMetrics } from "./metricsfile.js";
import type { CommonOptions, RunCommandOptions } from "./options.js";
import type { ResultOutput } from "./resultoutput.js";
import { handleStopSignals } from "./signals.js";
import { listenToRun, type StartListener } from "./startlistener.js";

/** What commands other than `muster run` add to a run. `results` prints what chunks print. */
export interface RunExtras {
  results?: ResultOutput;
  listener?: StartListener;
}

/**
 * Runs a job, or with `--plan` shows what would run, and prints the result: its summary on stdout; or, with `results`, what the chunks
 * printed, and the summary on stderr. Returns the exit status.
 */
export async function performJob(
  loaded: LoadedJob,
  options: RunCommandOptions,
  writers: Writers,
  { results: output, listener }: RunExtras = {},
): Promise<number> {
  const { inventory, job, notes } = loaded;
  if (!options.quiet) for (const note of notes) writers.err(note);
  if (options.plan) return printPlan(loaded, options, writers);
  if (!options.quiet && !options.json) writers.err(describeInventory(inventory, options.inventory !== undefined));
  // What chunks print must not be drawn over.
  const printsResults = output !== undefined || options.jsonLines === true;
  const display = printsResults && process.stdout.isTTY ? undefined : await createLiveDisplay(options);
  const shown = display?.writers(writers) ?? writers;
  const onWait = (node: string) => {
    if (!options.quiet) shown.err(formatLockWait(node));
  };
  const progress = display?.createObserver() ?? createPlainProgress(options, writers);
  const results = options.jsonLines ? new JsonLines(job, notes, writers) : output;
  const observer = results === undefined ? progress : results.observe(progress);
  const stop = handleStopSignals(shown);
  try {
    const { summary, wasComplete: already } = await launchJob(loaded, {
      out: outOf(options),
      fresh: options.fresh === true,
      adopt: options.adopt === true,
      provision: options.provision === true,
      stopSignal: results?.closed === undefined ? stop.signal : AbortSignal.any([stop.signal, results.closed]),
      observer: listener === undefined ? observer : listenToRun(observer, listener),
      onWait,
    });
    progress.end();
    await results?.finish(summary.directory);
    const printer = output === undefined ? writers : { ...writers, out: writers.err };
    printSummary({ summary, already, notes }, options, printer);
    const { meaning, exitStatus } = judgeRun(summary);
    const exit = meaning === "interrupted" ? (stop.code() ?? exitStatus) : exitStatus;
    writeRunMetrics(options.metrics, buildRunMetrics(summary, exit, Date.now() / 1000), writers);
    return exit;
  } catch (error) {
    progress.end();
    throw error;
  } finally {
    stop.release();
  }
}

/** Prints what would run. Returns 0, or 69 where no node and no cluster may run it. */
function printPlan(loaded: LoadedJob, options: RunCommandOptions, writers: Writers): number {
  const { inventory, nodes, job, notes } = loaded;
  const { plan, clusters, mayRun } = planJobOn(
    loaded,
    job,
    resolveRunPath(job, outOf(options), options.fresh === true),
  );
  const ofClusters = clusters.length === 0 ? {} : { clusters };
  if (options.json) writers.out(formatJson({ ...plan, ...ofClusters, project: describeProject(job), notes }, 2));
  else {
    const project = options.verbose ? [formatProject(job)] : [];
    const healing = inventory.heal === undefined ? [] : [formatHealSettings(inventory.heal, nodes)];
    writers.out([...project, ...healing, formatPlan(plan, clusters)].join("\n"));
  }
  if (mayRun) return 0;
  if (!options.json) writers.err("no node of the inventory may run this job");
  return EXIT_STATUS.NO_NODE;
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
  { summary, already, notes }: { summary: RunSummary; already: boolean; notes: string[] },
  options: RunCommandOptions,
  writers: Writers,
): void {
  if (options.jsonLines) writers.out(formatJson({ end: { ...judgeRun(summary), already, summary } }));
  else if (options.json) writers.out(formatJson({ ...summary, already, notes }, 2));
  else if (!options.quiet || summary.state !== "complete") {
    const folder = summary.results ?? findOwnResults(summary.directory);
    const isFresh = options.fresh === true;
    writers.out(formatSummary(summary, already, { folder, isFresh }));
    if (already && options.overwrite)
      writers.err("--overwrite changes nothing in a complete run; add --fresh to run it again");
  }
}

/** Returns the folder of results in a run directory; undefined if it holds no file. */
export function findOwnResults(directory: string): string | undefined {
  const folder = join(directory, "results");
  return existsSync(folder) && readdirSync(folder).length > 0 ? folder : undefined;
}
