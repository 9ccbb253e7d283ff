import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type BenchFindings, listCards, listFailures } from "../executor/bench/benchfindings.js";
import { type BenchLoad, loadBuiltIn, loadOwnJob } from "../executor/bench/benchload.js";
import { type BenchPlan, benchNode, type NodeFindings } from "../executor/bench/benchnode.js";
import { groupByDescription, proposeLines } from "../executor/bench/proposals.js";
import { findSlowCards } from "../executor/bench/slowcards.js";
import { findWrongCards } from "../executor/bench/wrongcards.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { buildBenchDocument, formatBench } from "../report/benchtext.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { loadDigest } from "../templates/nodeprograms.js";
import { parseCaps } from "./benchcaps.js";
import { BenchProgress } from "./benchprogress.js";
import { writeProposal } from "./benchproposal.js";
import { describeInventory } from "./describeinventory.js";
import { handleInterrupt } from "./interrupt.js";
import { filterGpuNodes, leaveOutDrained, lookAtBenchNodes } from "./lookatbench.js";
import { type CommonOptions, parseDurationOption, parseRangeOption } from "./options.js";
import { withProgress } from "./withprogress.js";

/** The options of `muster bench`. */
export interface BenchOptions extends CommonOptions {
  job?: string;
  range?: string;
  time: string;
  caps?: string;
  burn?: string;
  out?: string;
}

const STOPPING = "stopping: the load is ended, and power limits are restored (repeat to exit now)";

const MAX_SECONDS = 24 * 3600;
/** A chunk of a user's job that is shorter says little. */
const SHORT_SECONDS = 3;
const GOOD_SECONDS = 10;

/**
 * `muster bench [NODE...]`: measures each GPU alone, with all GPUs of its node, and at power limits, and says which are slow or compute
 * wrongly, and what the inventory should say. Returns the exit status: 3 where some GPUs or nodes failed or compute wrongly, 69 where no
 * node could be measured, 75 where all are in use.
 */
export async function bench(names: string[], options: BenchOptions, writers: Writers): Promise<number> {
  const [seconds, burn] = [parseTime("--time", options.time), options.burn && parseTime("--burn", options.burn)];
  const caps = options.caps === undefined ? undefined : parseCaps(options.caps);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectBenchNodes(inventory, names, options);
  const { leftOut: drained, nodes: usable } = leaveOutDrained(nodes, names.length > 0);
  const folder = resolve(options.out ?? join("runs", `bench-${formatNow(new Date())}`));
  const plan = makePlan(folder, { seconds, burn: burn || undefined }, options, inventory);
  if (!options.quiet && !options.json) writers.err(describeInventory(inventory, options.inventory !== undefined));
  const interrupt = handleInterrupt();
  const tellStop = () => {
    if (!options.quiet && !options.json) writers.err(STOPPING);
  };
  interrupt.signal.addEventListener("abort", tellStop);
  const looked = await withProgress(usable, { ...options, quiet: true }, writers, (done) =>
    lookAtBenchNodes(usable, caps, (node) => done(node)),
  );
  const leftOut = [...drained, ...looked.leftOut];
  const progress = new BenchProgress(looked.ready, options, writers);
  const context = { folder, signal: interrupt.signal, onPass: progress.begin.bind(progress) };
  const measured = interrupt.signal.aborted
    ? []
    : await Promise.all(looked.ready.map((one) => benchNode(one, plan, context)));
  interrupt.release();
  const findings = judge(measured, { plan, inventory, folder, leftOut, notes: looked.notes });
  writeFileSync(join(folder, "bench.json"), `${formatJson(buildBenchDocument(findings), 2)}\n`);
  const status = interrupt.exitStatus() ?? exitStatusOf(findings);
  if (options.json) writers.out(formatJson(buildBenchDocument(findings), 2));
  else if (!options.quiet || status !== 0) writers.out(formatBench(findings));
  return status;
}

function parseTime(option: string, text: string): number {
  const seconds = parseDurationOption(option, text);
  if (seconds < 1 || seconds > MAX_SECONDS) throw new UsageError(`${option} ${text}: it must be between 1s and 24h`);
  return seconds;
}

function selectBenchNodes(inventory: Inventory, names: string[], { limit }: BenchOptions): Node[] {
  const nodes = selectNodes(inventory, names.length > 0 ? names.join(",") : limit);
  const withGpus = filterGpuNodes(nodes);
  const next = "Give it a profile with a vendor, as `muster init inventory` does.";
  const missing = nodes.find((node) => names.includes(node.name) && !withGpus.includes(node));
  if (missing !== undefined) throw new UsageError(`bench: ${missing.name} has no GPUs in the inventory`, next);
  if (withGpus.length === 0) throw new MusterError("NO_NODE", "no node of the inventory has GPUs", { next });
  return withGpus;
}

/** Makes the folder of the bench, and loads what is computed. */
function makePlan(
  folder: string,
  { seconds, burn }: { seconds: number; burn: number | undefined },
  { job, range }: BenchOptions,
  inventory: Inventory,
): BenchPlan {
  if (job === undefined && range !== undefined) throw new UsageError("--range is for --job");
  const own = job === undefined ? undefined : loadOwnJob(resolve(job), parseRangeOption(range), inventory);
  makeFolder(folder);
  if (own !== undefined) return { load: own, fullLoad: own, burnSeconds: burn };
  const load = loadBuiltIn(folder, seconds);
  return { load, fullLoad: burn === undefined ? load : loadBuiltIn(folder, burn), burnSeconds: undefined };
}

function makeFolder(folder: string): void {
  if (mkdirSync(folder, { recursive: true }) === undefined)
    throw new UsageError(`bench: ${relative(process.cwd(), folder)} exists`, "Name another folder with --out DIR.");
}

interface Measured {
  plan: BenchPlan;
  inventory: Inventory;
  folder: string;
  leftOut: BenchFindings["leftOut"];
  notes: readonly string[];
}

function judge(nodes: NodeFindings[], { plan, inventory, folder, leftOut, notes }: Measured): BenchFindings {
  const cards = listCards(nodes);
  const isOwnJob = plan.load.units !== undefined;
  const proposals = proposeLines(groupByDescription(cards, inventory), isOwnJob && plan.load.job.kind === "range");
  return {
    folder,
    unit: isOwnJob ? "units/s" : "Mstep/s",
    nodes,
    leftOut,
    slow: findSlowCards(cards),
    results: findWrongCards(cards, isOwnJob ? undefined : loadDigest()),
    proposals,
    ...writeProposal(proposals, inventory.file, folder),
    notes: [...notes, ...noteProcessors(nodes), ...noteShortChunks(nodes, plan.load)],
  };
}

/** Says of each node whose processor computed that its cards were not measured. */
function noteProcessors(nodes: readonly NodeFindings[]): string[] {
  return nodes.flatMap(({ node, cards }) => {
    const all = cards.flatMap(({ passes }) => passes.flatMap(({ measurements }) => measurements));
    const found = all.find(({ notTheCard }) => notTheCard !== undefined);
    if (found === undefined) return [];
    const rate = `${found.rate.toPrecision(3)} Mstep/s by ${found.device ?? "it"}`;
    return [
      `${node}: its processor was measured (${rate}), and not its GPUs: ${found.notTheCard}\n    next: Install OpenCL for the GPU there, or name a job of yours with --job FILE.`,
    ];
  });
}

function hasProcessors(nodes: readonly NodeFindings[]): boolean {
  return noteProcessors(nodes).length > 0;
}

function noteShortChunks(nodes: readonly NodeFindings[], { units, job }: BenchLoad): string[] {
  const all = listCards(nodes).flatMap(({ passes }) => passes.flatMap(({ measurements }) => measurements));
  const shortest = Math.min(...all.map(({ seconds }) => seconds));
  if (units === undefined || shortest >= SHORT_SECONDS || all.length === 0) return [];
  const more = Math.ceil((units * GOOD_SECONDS) / Math.max(shortest, 0.01));
  const hint = job.kind === "range" ? `, e.g. --range ${job.first}:${job.first + BigInt(more)}` : "";
  return [`chunks took ${shortest.toFixed(1)} s, which says little: give them more work${hint}`];
}

function exitStatusOf(findings: BenchFindings): number {
  const { nodes, leftOut, results } = findings;
  const hasResults = listCards(nodes).some(({ passes }) => passes.some(({ measurements }) => measurements.length > 0));
  const codes = nodes.flatMap(({ problems }) => problems.map(({ code }) => code));
  const isHeld = leftOut.some(({ isBusy }) => isBusy) || codes.includes("HELD");
  if (!hasResults) return isHeld ? 75 : listFailures(nodes).length > 0 ? 3 : 69;
  const isPartial = leftOut.length > 0 || codes.length > 0 || listFailures(nodes).length > 0 || hasProcessors(nodes);
  return isPartial || results.wrong.length > 0 || results.undecided.length > 0 ? 3 : 0;
}

function formatNow(date: Date): string {
  return date.toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "");
}
