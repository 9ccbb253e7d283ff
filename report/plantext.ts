import type { ClusterPlan } from "../executor/run/pilots/plancluster.js";
import type { NodePlan, RunPlan } from "../executor/schedule/plan/planjob.js";
import type { UnplaceableTasks } from "../executor/schedule/plan/planrefusals.js";
import { formatSlots } from "../executor/schedule/slots/groupbyreason.js";
import { TERMINAL_COLUMNS } from "./columns.js";
import { formatDuration, formatRate, pluralize, toPrintableText, wrapText } from "./format.js";
import { formatOverhead } from "./overheadtext.js";
import { MIN_WORK_ONLY_SECONDS } from "./plancomparison.js";

const MAX_NAMED_TASKS = 8;

const GUESS_NOTE = ", if the inventory's rates are right for this program";

/** Formats the plan of a job, and what clusters may do in it. */
export function formatPlan(plan: RunPlan, clusters: readonly ClusterPlan[] = []): string {
  if (plan.units === "0") return toPrintableText([`${plan.job}: no task is waiting`, "nothing was run"]);
  const lines = plan.nodes.flatMap((node) => [formatNodePlan(node), ...formatSlotPlans(node), ...formatRefusals(node)]);
  return toPrintableText([
    `${plan.job}: ${pluralize(BigInt(plan.units), "unit")}, ${formatTime(plan)}`,
    ...(plan.overhead === undefined ? [] : [`  ${formatOverhead(plan.overhead)}`]),
    ...lines,
    ...clusters.flatMap(formatClusterPlan),
    ...formatUnknownStart(plan, clusters),
    ...plan.unplaceable.flatMap(formatUnplaceable),
    "nothing was run",
  ]);
}

function formatTime({ seconds, chunks = 0, startupSeconds, isGuess }: RunPlan): string {
  if (seconds === undefined) return "time unknown until the first chunks have run";
  const count = `about ${pluralize(chunks, "chunk")}`;
  const note = isGuess ? GUESS_NOTE : "";
  if (startupSeconds !== undefined)
    return `${count} and ${formatDuration(seconds)}, ${formatDuration(startupSeconds)} of it to start${note}`;
  if (seconds < MIN_WORK_ONLY_SECONDS)
    return `${count}, time unknown until a run has measured how long nodes take to start`;
  return `${count} and ${formatDuration(seconds)}, plus an unknown time to start${note}`;
}

function formatNodePlan(node: NodePlan): string {
  if (node.refused !== undefined)
    return `  ${node.node}: no work${node.refusals.length === 0 ? `: ${node.refused}` : ""}`;
  const first = `first chunks of ${pluralize(BigInt(node.chunkUnits), "unit")}`;
  const shared = node.perGpu === undefined ? "" : `, up to ${node.perGpu} on each GPU`;
  return `  ${node.node}: ${pluralize(node.slots, "slot")}${shared}${formatSpeed(node)}, ${first}${formatExpectation(node)}`;
}

function formatClusterPlan(plan: ClusterPlan): string[] {
  const { cluster, pilots, chunksPerPilot, timeSeconds, overflowAfterSeconds, refused } = plan;
  if (refused !== undefined) return wrapText(`${cluster}: not used: ${refused}`, "  ", TERMINAL_COLUMNS);
  const overflow =
    overflowAfterSeconds === undefined
      ? ""
      : `, only while the other nodes would need longer than ${formatDuration(overflowAfterSeconds)}`;
  const most = `up to ${pluralize(pilots, "pilot")} of ${formatDuration(timeSeconds)}`;
  const text = `${cluster}: ${most}, ${pluralize(chunksPerPilot, "chunk")} at once on each${overflow}`;
  return wrapText(text, "  ", TERMINAL_COLUMNS);
}

/** A plan contacts nobody, and Slurm alone knows when pilots start. */
function formatUnknownStart({ seconds }: RunPlan, clusters: readonly ClusterPlan[]): string[] {
  const first = clusters.find(({ refused }) => refused === undefined);
  if (first === undefined) return [];
  const time = seconds === undefined ? "" : "the times are without clusters: ";
  const text = `${time}when pilots would start is not known here; muster doctor ${first.cluster} asks Slurm`;
  return wrapText(text, "  ", TERMINAL_COLUMNS);
}

function formatSlotPlans({ perSlot }: NodePlan): string[] {
  if (perSlot.length < 2 || perSlot.some((slot) => slot.seconds === undefined)) return [];
  return perSlot.map((slot) => `    slot ${slot.slot}${formatSpeed(slot)}${formatExpectation(slot)}`);
}

function formatRefusals({ refusals }: NodePlan): string[] {
  return refusals.map(({ slots, reason }) => `    ${formatSlots(slots)}: no work: ${reason}`);
}

function formatUnplaceable({ gpu, gpus, chunks, reasons }: UnplaceableTasks): string[] {
  const named = chunks.slice(0, MAX_NAMED_TASKS).join(", ");
  const more = chunks.length > MAX_NAMED_TASKS ? ` and ${chunks.length - MAX_NAMED_TASKS} more` : "";
  const subject = `${chunks.length === 1 ? "task" : "tasks"} ${named}${more}`;
  const what =
    gpus === undefined
      ? `pinned to GPU ${gpu}, which no slot has:`
      : `${chunks.length === 1 ? "needs" : "need"} ${gpus} GPUs, which no node has:`;
  return [`  ${subject}: ${what}`, ...reasons.map((reason) => `    ${reason}`)];
}

/** Tasks have no rate, but their duration may be known. */
function formatSpeed(part: { rate?: number; seconds?: number }): string {
  if (part.rate !== undefined) return `, ${formatRate(part.rate)}`;
  return part.seconds === undefined ? ", rate unknown" : "";
}

function formatExpectation({ chunks, units, seconds }: { chunks?: number; units?: string; seconds?: number }): string {
  if (chunks === undefined || units === undefined || seconds === undefined) return "";
  return `, about ${pluralize(chunks, "chunk")} and ${pluralize(BigInt(units), "unit")}, done after ${formatDuration(seconds)}`;
}
