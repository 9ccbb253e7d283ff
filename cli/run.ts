import { resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { loadJob } from "../executor/job/load.js";
import { ratesFile, recall } from "../executor/run/record/ratesfile.js";
import type { Summary } from "../executor/run/record/summary.js";
import { runJob } from "../executor/run/run.js";
import { planJob } from "../executor/schedule/plan/plan.js";
import { findInventory, type Inventory, matches, selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { runFamilies } from "../report/metrics.js";
import { planText } from "../report/plan.js";
import { PlainProgress, silent } from "../report/run.js";
import { summaryText } from "../report/summary.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { kindOf } from "../schemas/kind.js";
import { jsonText } from "../schemas/printable.js";
import { readSource } from "../schemas/yaml.js";
import type { CommonOptions } from "./common.js";
import { inspectionFor, waitingText } from "./inspection.js";
import { limitNotes } from "./limits.js";
import { writeRunMetrics } from "./metrics.js";
import { settings } from "./settings.js";
import { stopSignals } from "./stop.js";
import { whence } from "./whence.js";

export interface RunVerbOptions extends CommonOptions {
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
export async function run(file: string, options: RunVerbOptions, writers: Writers): Promise<number> {
  const loaded = load(file, options);
  if (loaded === "pipeline") {
    const { runPipelineFile } = await import("./pipeline.js");
    return runPipelineFile(resolve(file), options, writers);
  }
  const { inventory, nodes, job } = loaded;
  const notes = limitNotes([job], nodes);
  if (!options.quiet) for (const note of notes) writers.err(note);
  if (options.plan) {
    const plan = planJob(job, nodes, matches, recall(inventory.file, job.name));
    if (options.json) writers.out(jsonText({ ...plan, notes }, 2));
    else writers.out(planText(plan));
    return 0;
  }
  if (!options.quiet && !options.json) writers.err(whence(inventory, options.inventory !== undefined));
  const waiting = (node: string) => {
    if (!options.quiet) writers.err(waitingText(node));
  };
  const inspection = await inspectionFor(job, inventory, options.provision === true, waiting);
  const progress = await observerFor(options, writers);
  const stop = stopSignals(writers);
  try {
    const { summary, already } = await runJob(job, nodes, {
      out: options.out === undefined ? undefined : resolve(options.out),
      fresh: options.fresh === true,
      adopt: options.adopt === true,
      inventory: inventory.file ?? "local",
      stop: stop.signal,
      selected: matches,
      observer: progress,
      rates: ratesFile(inventory.file),
      inspection,
    });
    progress.end();
    print(job, summary, already, notes, options, writers);
    const exit = exitCode(summary, stop.code());
    writeRunMetrics(options.metrics, runFamilies(summary, exit, Date.now() / 1000), writers);
    return exit;
  } catch (error) {
    progress.end();
    throw error;
  } finally {
    stop.release();
  }
}

/** What says how long to wait for another run goes with cron's starts alone. */
export function refusePatience(options: RunVerbOptions): void {
  if (options.overlap === undefined && options.lockWait === undefined) return;
  throw new UsageError(
    "--overlap and --lock-wait go with --cron",
    "Leave them away: a run that is held is refused at once.",
  );
}

/** The job of a file, and where it may run. The file is read once: a large one takes seconds. */
function load(file: string, options: RunVerbOptions): { inventory: Inventory; nodes: Node[]; job: Job } | "pipeline" {
  const source = readSource(resolve(file));
  if (kindOf(source) === "pipeline") return "pipeline";
  if (options.from !== undefined || options.only !== undefined || options.cron)
    throw new UsageError("--from, --only and --cron are for pipelines", `${file} is a job.`);
  refusePatience(options);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, options.limit);
  const job = loadJob(source, { set: settings(options.set), range: rangeOf(options.range), inventory });
  return { inventory, nodes, job };
}

async function observerFor(options: RunVerbOptions, writers: Writers) {
  if (options.quiet || (options.json && !process.stderr.isTTY)) return silent;
  if (!process.stderr.isTTY || options.color === false) return new PlainProgress(writers);
  const { LiveProgress } = await import("../report/live.js");
  return new LiveProgress(writers);
}

function print(
  job: Job,
  summary: Summary,
  already: boolean,
  notes: string[],
  options: RunVerbOptions,
  writers: Writers,
): void {
  if (options.json) writers.out(jsonText({ ...summary, already, notes }, 2));
  else if (!options.quiet || summary.state !== "complete")
    writers.out(summaryText(summary, already, job.aggregate?.to));
}

function exitCode(summary: Summary, signal: number | undefined): number {
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

function rangeOf(text: string | undefined): [bigint, bigint] | undefined {
  if (text === undefined) return undefined;
  const parts = /^(-?\d+):(-?\d+)$/.exec(text);
  if (parts === null)
    throw new UsageError(`--range ${text}: it must be START:END, two integers`, "For example --range 0:1000000.");
  return [BigInt(parts[1]!), BigInt(parts[2]!)];
}
