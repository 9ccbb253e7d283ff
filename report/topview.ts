import type { ActiveRun } from "../executor/run/record/activeruns.js";
import type { LiveAttempt, LiveSlot } from "../executor/run/record/liverun.js";
import { describeDrain } from "../fleet/drains.js";
import { listGpus } from "../fleet/gpus/gpugroups.js";
import type { GpuSample } from "../fleet/gpus/gpusample.js";
import type { SampledNode } from "../fleet/gpus/sampledfleet.js";
import type { Node } from "../fleet/node.js";
import { countColumns, padToColumns } from "./columns.js";
import { formatBytes, pluralize, shortenMiddle, toOneLine, truncateEnd } from "./format.js";
import { secondsSince, timeAttempt } from "./liveestimates.js";
import { formatSeconds } from "./livetext.js";
import { renderTotals, type ViewFrame } from "./liveview.js";
import { joinParts, paintLine, type StyledPart } from "./styledtext.js";

const MAX_NAME_COLUMNS = 20;
const MIN_CHUNK_COLUMNS = 8;
const MAX_CHUNK_COLUMNS = 40;
/** Figures that are older say nothing about now. */
export const MAX_AGE_SECONDS = 15;

/** What `muster top` shows: the nodes of an inventory, and what runs on this machine. */
export interface FleetView {
  nodes: readonly SampledNode[];
  runs: readonly ActiveRun[];
}

/** A slot of a node: what its GPU does, and what each run says of it. */
interface SlotRow {
  name: string;
  gpu?: GpuSample | undefined;
  work?: { label: string; slot: LiveSlot } | undefined;
}

/** Returns all lines of the view, however many rows there are: the runs, then each node with its GPUs and busy CPU slots. */
export function renderFleet({ nodes, runs }: FleetView, frame: ViewFrame): string[] {
  const paint = (parts: StyledPart[]) => paintLine(parts, frame.columns - 1, frame.paint);
  const running = runs.reduce((sum, { live }) => sum + live.running, 0);
  const counts = [
    pluralize(nodes.length, "node"),
    pluralize(runs.length, "run"),
    `${pluralize(running, "chunk")} running`,
  ];
  const lines = [paint([[counts.join(", "), "strong"]])];
  for (const { label, live } of runs) lines.push(...renderTotals(live, label, frame));
  const rows = nodes.map((node) => listRows(node, runs));
  if (rows.some((one) => one.length > 0)) lines.push(paint([[formatHead(frame), "quiet"]]));
  for (const [index, node] of nodes.entries()) {
    lines.push(paint(renderNode(node, runs)));
    for (const row of rows[index]!) lines.push(paint(renderRow(row, runs.length > 1, frame)));
  }
  return lines;
}

function renderNode(sampled: SampledNode, runs: readonly ActiveRun[]): StyledPart[] {
  const { node, state } = sampled;
  const name: StyledPart[] = [[shortenMiddle(node.name, MAX_NAME_COLUMNS), "strong"]];
  const drain: StyledPart[] = node.drain === undefined ? [] : [[toOneLine(describeDrain(node.drain)), "bad"]];
  const parts = (rest: StyledPart[][]) => joinParts([name, joinParts([...rest, drain], ", ")], "  ");
  switch (state) {
    case "connecting":
      return parts([[["connecting", "quiet"]]]);
    case "away":
      return parts([[[`away: ${toOneLine(sampled.reason)}`, "bad"]]]);
    case "live": {
      const { load, memory, problem } = sampled.sample;
      const used = memory === undefined ? [] : [`memory ${formatShare(memory.total - memory.available, memory.total)}`];
      const texts = [...describeWork(node.name, runs), `load ${load.toFixed(1)}`, ...used];
      const bad: StyledPart[] = problem === undefined ? [] : [[toOneLine(problem), "bad"]];
      return parts([...texts.map((text): StyledPart[] => [[text, "plain"]]), bad]);
    }
    default:
      return state satisfies never;
  }
}

/** Returns how many chunks run on a node and are done there, in all runs together. */
function describeWork(node: string, runs: readonly ActiveRun[]): string[] {
  const ours = runs.flatMap(({ live }) => live.nodes.filter((one) => one.node === node));
  if (ours.length === 0) return [];
  const sum = (count: (one: (typeof ours)[number]) => number) => ours.reduce((total, one) => total + count(one), 0);
  const failed = sum((one) => one.failedAttempts);
  const texts = [`${sum((one) => one.running)} running`, `${sum((one) => one.chunks)} done`];
  return failed === 0 ? texts : [...texts, `${failed} failed`];
}

/** Returns the rows of a node: its GPUs, whether something runs on them or not, then its CPU slots on which something runs. */
function listRows(sampled: SampledNode, runs: readonly ActiveRun[]): SlotRow[] {
  const slots = runs.flatMap(({ label, live }) =>
    live.slots.filter(({ node }) => node === sampled.node.name).map((slot) => ({ label, slot })),
  );
  const samples = sampled.state === "live" ? orderSamples(sampled.node, sampled.sample.gpus) : [];
  const known = slots.flatMap(({ slot }) => (slot.gpu === undefined ? [] : [slot.gpu + 1]));
  const gpus = Array.from({ length: Math.max(samples.length, ...known) }, (_, index): SlotRow => {
    const mine = slots.filter(({ slot }) => slot.gpu === index);
    // A card belongs to one run at a time; the others may say that they wait for it.
    const work =
      mine.find(({ slot }) => slot.running !== undefined) ?? mine.find(({ slot }) => slot.reason !== undefined);
    return { name: `${index}`, gpu: samples[index], work };
  });
  const cores = slots.filter(({ slot }) => slot.gpu === undefined && slot.running !== undefined);
  return [...gpus, ...cores.map((work) => ({ name: `cpu ${work.slot.slot}`, work }))];
}

/** Returns the samples of a node's GPUs in the order of its slots; those of one kind are in the order of their addresses. */
function orderSamples({ gpuGroups }: Node, samples: readonly GpuSample[]): readonly (GpuSample | undefined)[] {
  if (gpuGroups === undefined) return samples;
  return listGpus(gpuGroups).map(
    ({ group, device }) => samples.filter(({ vendor }) => vendor === group.profile.vendor)[device],
  );
}

const SLOT_COLUMNS = 7;
/** The columns after the chunk, with the spaces before them. */
const CELLS = [
  { head: "DONE", columns: 6 },
  { head: "TIME", columns: 13 },
  { head: "BUSY", columns: 7 },
  { head: "MEMORY", columns: 14 },
  { head: "POWER", columns: 7 },
  { head: "TEMP", columns: 7 },
] as const;

function chunkColumns({ columns }: ViewFrame): number {
  const others = CELLS.reduce((sum, cell) => sum + cell.columns, 2 + SLOT_COLUMNS);
  return Math.min(MAX_CHUNK_COLUMNS, Math.max(MIN_CHUNK_COLUMNS, columns - 1 - others));
}

function formatHead(frame: ViewFrame): string {
  const cells = CELLS.map(({ head, columns }) => head.padStart(columns));
  return `  ${"GPU".padEnd(SLOT_COLUMNS)}${"CHUNK".padEnd(chunkColumns(frame))}${cells.join("")}`;
}

function renderRow({ name, gpu, work }: SlotRow, hasLabels: boolean, frame: ViewFrame): StyledPart[] {
  const running = work?.slot.running;
  const columns = chunkColumns(frame);
  const head: StyledPart = [`  ${name.padEnd(SLOT_COLUMNS)}`, "plain"];
  const attempt = running === undefined ? ["", ""] : formatAttempt(running, frame.nowMs);
  const figures = [...attempt, ...formatFigures(gpu)];
  const cells = CELLS.map((cell, index) => padStart(figures[index] ?? "", cell.columns))
    .join("")
    .trimEnd();
  const text: StyledPart[] =
    frame.columns > 100 && running?.text !== undefined ? [[`  ${truncateEnd(running.text, 40)}`, "quiet"]] : [];
  if (running !== undefined) {
    const chunk = hasLabels ? `${work!.label} ${running.chunk}` : running.chunk;
    return [head, [padToColumns(shortenMiddle(chunk, columns), columns), "good"], [cells, "plain"], ...text];
  }
  const reason = work?.slot.reason;
  if (reason === undefined) return [head, [cells === "" ? "-" : padToColumns("-", columns), "quiet"], [cells, "plain"]];
  // The cells of an attempt are empty: the reason may take their place.
  const room = columns + CELLS[0].columns + CELLS[1].columns - 1;
  return [head, [padToColumns(truncateEnd(reason, room), room), "bad"], [cells.slice(room - columns), "plain"]];
}

function formatAttempt(attempt: LiveAttempt, nowMs: number): [done: string, time: string] {
  const done = attempt.progress === undefined ? "" : `${Math.floor(attempt.progress * 100)} %`;
  const { secondsLeft } = timeAttempt(attempt, nowMs);
  const elapsed = formatSeconds(secondsSince(attempt.since, nowMs));
  return [done, secondsLeft === undefined ? elapsed : `${formatSeconds(Math.max(1, secondsLeft))} left`];
}

function formatFigures(gpu: GpuSample | undefined): string[] {
  if (gpu === undefined || gpu.age > MAX_AGE_SECONDS) return ["", gpu === undefined ? "" : "no answer", "", ""];
  if (gpu.isAsleep) return ["", "asleep", "", ""];
  const { busy, used, total, watts, celsius } = gpu;
  return [
    busy === undefined ? "" : `${Math.round(busy)} %`,
    used === undefined ? "" : total === undefined ? formatBytes(used) : formatShare(used, total),
    watts === undefined ? "" : `${Math.round(watts)} W`,
    celsius === undefined ? "" : `${Math.round(celsius)} °C`,
  ];
}

/** Formats two sizes in one unit: "3.1/8.0 GiB". */
function formatShare(used: number, total: number): string {
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  return `${gib(used)}/${gib(total)} GiB`;
}

function padStart(text: string, columns: number): string {
  return " ".repeat(Math.max(0, columns - countColumns(text))) + text;
}
