import { resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { loadJob } from "../executor/job/loadjob.js";
import { ratesFilePath, readLearnedRates } from "../executor/run/record/ratesfile.js";
import type { RunSummary } from "../executor/run/record/runsummary.js";
import { runJob } from "../executor/run/run.js";
import { planJob } from "../executor/schedule/plan/planjob.js";
import { findInventory, type Inventory, matchesAnyPattern, selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { formatPlan } from "../report/plantext.js";
import { PlainProgress, silentProgress } from "../report/progressplain.js";
import { buildRunMetrics } from "../report/prometheus.js";
import { formatSummary } from "../report/summarytext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { detectFileKind } from "../schemas/filekind.js";
import { readSource } from "../schemas/parsesource.js";
import { createAdmissionCheck, formatLockWait } from "./admissioncheck.js";
import { checkProfileLimits } from "./checkprofilelimits.js";
import { describeInventory } from "./describeinventory.js";
import { writeRunMetrics } from "./metricsfile.js";
import type { CommonOptions } from "./options.js";
import { parseSetOptions } from "./setoption.js";
import { handleStopSignals } from "./signals.js";

export interface RunCommandOptions extends CommonOptions {
  out?: string;
  fresh?: boolean;
  adopt?: boolean;
  plan?: boolean;
  set?: string[];
  range?: string;
  provision?: boolean;
  /** Of a pipeline: this step and what comes after it, or this step alone. */
  from?: string;
  only?: string;
  /** Of a pipeline: as cron starts it. */
  cron?: boolean;
  overlap?: string;
  lockWait?: string;
  /** A file for node_exporter's textfile collector. */
  metrics?: string;
}

/** `muster run FILE`: loads and checks everything, then runs the job and prints what became of it. Answers the exit code. */
export async function run(file: string, options: RunCommandOptions, writers: Writers): Promise<number> {
  const loaded = loadJobFile(file, options);
  if (loaded === "pipeline") {
    const { runPipelineFile } = await import("./runpipeline.js");
    return runPipelineFile(resolve(file), options, writers);
  }
  const { inventory, nodes, job } = loaded;
  const notes = checkProfileLimits([job], nodes);
  if (!options.quiet) for (const note of notes) writers.err(note);
  if (options.plan) {
    const plan = planJob(job, nodes, matchesAnyPattern, readLearnedRates(inventory.file, job.name));
    if (options.json) writers.out(formatJson({ ...plan, notes }, 2));
    else writers.out(formatPlan(plan));
    return 0;
  }
  if (!options.quiet && !options.json) writers.err(describeInventory(inventory, options.inventory !== undefined));
  const waiting = (node: string) => {
    if (!options.quiet) writers.err(formatLockWait(node));
  };
  const inspection = await createAdmissionCheck(job, inventory, options.provision === true, waiting);
  const progress = await createProgress(options, writers);
  const stop = handleStopSignals(writers);
  try {
    const { summary, wasComplete: already } = await runJob(job, nodes, {
      out: options.out === undefined ? undefined : resolve(options.out),
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

/** What says how long to wait for another run goes with cron's starts alone. */
export function rejectCronOnlyOptions(options: RunCommandOptions): void {
  if (options.overlap === undefined && options.lockWait === undefined) return;
  throw new UsageError(
    "--overlap and --lock-wait go with --cron",
    "Leave them away: a run that is held is refused at once.",
  );
}

/** The job of a file, and where it may run. The file is read once: a large one takes seconds. */
function loadJobFile(
  file: string,
  options: RunCommandOptions,
): { inventory: Inventory; nodes: Node[]; job: Job } | "pipeline" {
  const source = readSource(resolve(file));
  if (detectFileKind(source) === "pipeline") return "pipeline";
  if (options.from !== undefined || options.only !== undefined || options.cron)
    throw new UsageError("--from, --only and --cron are for pipelines", `${file} is a job.`);
  rejectCronOnlyOptions(options);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, options.limit);
  const job = loadJob(source, { set: parseSetOptions(options.set), range: parseRangeOption(options.range), inventory });
  return { inventory, nodes, job };
}

async function createProgress(options: RunCommandOptions, writers: Writers) {
  if (options.quiet || (options.json && !process.stderr.isTTY)) return silentProgress;
  if (!process.stderr.isTTY || options.color === false) return new PlainProgress(writers);
  const { TtyProgress: LiveProgress } = await import("../report/progresstty.js");
  return new LiveProgress(writers);
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
  else if (!options.quiet || summary.state !== "complete")
    writers.out(formatSummary(summary, already, job.aggregate?.to));
}

function exitStatusOfRun(summary: RunSummary, signal: number | undefined): number {
  switch (summary.state) {
    case "complete":
      return 0;
    case "interrupted":
    case "cancelled":
      return signal ?? 130;
    case "stranded":
      return summary.session.chunks > 0 ? 3 : 69;
    case "superseded":
      return 75;
    case "partial":
    case "broken":
      return 3;
  }
}

function parseRangeOption(text: string | undefined): [bigint, bigint] | undefined {
  if (text === undefined) return undefined;
  const parts = /^(-?\d+):(-?\d+)$/.exec(text);
  if (parts === null)
    throw new UsageError(`--range ${text}: it must be START:END, two integers`, "For example --range 0:1000000.");
  return [BigInt(parts[1]!), BigInt(parts[2]!)];
}
