import type { ActiveRun } from "../executor/run/record/activeruns.js";
import type { LiveAttempt, LiveSlot } from "../executor/run/record/liverun.js";
import { describeDrain } from "../fleet/drains.js";
import type { GpuSample } from "../fleet/gpus/gpusample.js";
import type { SampledNode } from "../fleet/gpus/sampledfleet.js";
import type { Node } from "../fleet/node.js";
import { countColumns, padToColumns } from "./columns.js";
import { formatBytes, pluralize, shortenMiddle, toOneLine, truncateEnd } from "./format.js";
import { secondsSince, timeAttempt } from "./liveestimates.js";
import { formatSeconds } from "./livetext.js";
import { renderTotals, renderUsage, type ViewFrame } from "./liveview.js";
import { matchSamples } from "./slotsamples.js";
import { countStyledColumns, joinParts, paintLine, type StyledPart } from "./styledtext.js";
import { formatEnergy } from "./usagetext.js";

const MAX_NAME_COLUMNS = 20;
const MIN_CHUNK_COLUMNS = 8;
const MAX_CHUNK_COLUMNS = 40;
/** Figures that are older say nothing about now. */
const MAX_AGE_SECONDS = 15;

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
  for (const { label, live } of runs) lines.push(...renderTotals(live, label, frame), ...renderUsage(live, frame));
  const rows = nodes.map((node) => listRows(node, runs));
  if (rows.some((one) => one.length > 0)) lines.push(paint([[formatHead(frame), "quiet"]]));
  for (const [index, node] of nodes.entries()) {
    lines.push(paint(renderNode(node, runs, frame.columns - 1)));
    for (const row of rows[index]!) lines.push(paint(renderRow(row, runs.length > 1, frame)));
  }
  return lines;
}

function renderNode(sampled: SampledNode, runs: readonly ActiveRun[], room: number): StyledPart[] {
  const { node, state } = sampled;
  const name: StyledPart[] = [[shortenMiddle(node.name, MAX_NAME_COLUMNS), "strong"]];
  const drained = findDrain(node, runs);
  const drain: StyledPart[] = drained === undefined ? [] : [[toOneLine(drained), "bad"]];
  const parts = (rest: StyledPart[][]) => joinParts([name, joinParts([...rest, drain], ", ")], "  ");
  switch (state) {
    case "connecting":
      return parts([[["connecting", "quiet"]]]);
    case "away":
      return parts([[[`away: ${toOneLine(sampled.reason)}`, "bad"]]]);
    case "live": {
      const { load, memory, problem, gpus } = sampled.sample;
      const used = memory === undefined ? [] : [`memory ${formatShare(memory.total - memory.available, memory.total)}`];
      const plain = (texts: string[]) => texts.map((text): StyledPart[] => [[text, "plain"]]);
      const bad: StyledPart[] = problem === undefined ? [] : [[toOneLine(problem), "bad"]];
      const first = [...plain([...describeWork(node.name, runs), ...describePower(gpus)]), describeThrottled(gpus)];
      const rest = plain([`load ${load.toFixed(1)}`, ...used]);
      // What fits less than whole is left out, from the last: the GPUs matter more.
      const lines = [rest, rest.slice(0, 1)].map((some) => parts([...first, ...some, bad]));
      return lines.find((line) => countStyledColumns(line) <= room) ?? parts([...first, bad]);
    }
    default:
      return state satisfies never;
  }
}

/** Returns how a node is drained, by the inventory or a run that has learned of it since; undefined = it is not. */
function findDrain({ name, drain }: Node, runs: readonly ActiveRun[]): string | undefined {
  if (drain !== undefined) return describeDrain(drain);
  return runs.flatMap(({ live }) => live.nodes.find(({ node }) => node === name)?.drained ?? [])[0];
}

/** Returns how many GPUs of a node are throttled by more than their power limit, at which cards work all the time. */
function describeThrottled(gpus: readonly GpuSample[]): StyledPart[] {
  const limits = gpus.map(listHarmfulLimits).filter((reasons) => reasons.length > 0);
  const reasons = [...new Set(limits.flat())].join(", ");
  return limits.length === 0 ? [] : [[`${pluralize(limits.length, "GPU")} throttled by ${reasons}`, "bad"]];
}

/** Returns the power of a node's GPUs together; nothing where one of them does not say. */
function describePower(gpus: readonly GpuSample[]): string[] {
  const awake = gpus.filter(({ isAsleep }) => !isAsleep);
  if (awake.length === 0 || awake.some(({ watts, age }) => watts === undefined || age > MAX_AGE_SECONDS)) return [];
  return [`${Math.round(awake.reduce((sum, { watts = 0 }) => sum + watts, 0))} W`];
}

/** Returns how many chunks run on a node and are done there, in all runs together. */
function describeWork(node: string, runs: readonly ActiveRun[]): string[] {
  const ours = runs.flatMap(({ live }) => live.nodes.filter((one) => one.node === node));
  if (ours.length === 0) return [];
  const sum = (count: (one: (typeof ours)[number]) => number) => ours.reduce((total, one) => total + count(one), 0);
  const failed = sum((one) => one.failedAttempts);
  const energies = ours.flatMap(({ usage }) => usage?.wattHours ?? []);
  const energy = energies.length === 0 ? [] : [formatEnergy(energies.reduce((total, one) => total + one, 0))];
  const texts = [`${sum((one) => one.running)} running`, `${sum((one) => one.chunks)} done`, ...energy];
  return failed === 0 ? texts : [...texts, `${failed} failed`];
}

/** Returns the rows of a node: its GPUs, whether something runs on them or not, then its CPU slots on which something runs. */
function listRows(sampled: SampledNode, runs: readonly ActiveRun[]): SlotRow[] {
  const slots = runs.flatMap(({ label, live }) =>
    live.slots.filter(({ node }) => node === sampled.node.name).map((slot) => ({ label, slot })),
  );
  const samples =
    sampled.state === "live"
      ? matchSamples(
          sampled.node,
          sampled.sample.gpus,
          slots.map(({ slot }) => slot),
        )
      : [];
  const known = slots.flatMap(({ slot }) => (slot.gpu === undefined ? [] : [slot.gpu + 1]));
  const gpus = Array.from({ length: Math.max(samples.length, ...known) }, (_, index): SlotRow[] => {
    const mine = slots.filter(({ slot }) => slot.gpu === index);
    // A card belongs to one run at a time, whose chunks may share it; the others may say that they wait for it.
    const running = mine.filter(({ slot }) => slot.running !== undefined);
    const [work = mine.find(({ slot }) => slot.reason !== undefined), ...beside] = running;
    return [{ name: `${index}`, gpu: samples[index], work }, ...beside.map((one) => ({ name: "", work: one }))];
  });
  const cores = slots.filter(({ slot }) => slot.gpu === undefined && slot.running !== undefined);
  return [...gpus.flat(), ...cores.map((work) => ({ name: `cpu ${work.slot.slot}`, work }))];
}

/** Returns why a slot gets no work, in a few words: its node's line says how that is drained. */
function shortenReason({ reason }: LiveSlot): string | undefined {
  return reason?.startsWith("its node is drained") ? "drained" : reason;
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
  const limits = gpu === undefined ? [] : listHarmfulLimits(gpu);
  const throttled: StyledPart[] = limits.length === 0 ? [] : [[`  ${limits.join(", ")}`, "bad"]];
  const text: StyledPart[] =
    frame.columns > 100 && running?.text !== undefined ? [[`  ${truncateEnd(running.text, 40)}`, "quiet"]] : [];
  if (running !== undefined) {
    const chunk = hasLabels ? `${work!.label} ${running.chunk}` : running.chunk;
    return [
      head,
      [padToColumns(shortenMiddle(chunk, columns), columns), "good"],
      [cells, "plain"],
      ...throttled,
      ...text,
    ];
  }
  const reason = work === undefined ? undefined : shortenReason(work.slot);
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

function listHarmfulLimits({ age, throttled = [] }: GpuSample): string[] {
  return age > MAX_AGE_SECONDS ? [] : throttled.filter((reason) => reason !== "power");
}

/** Formats two sizes in one unit: "3.1/8.0 GiB". */
function formatShare(used: number, total: number): string {
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  return `${gib(used)}/${gib(total)} GiB`;
}

function padStart(text: string, columns: number): string {
  return " ".repeat(Math.max(0, columns - countColumns(text))) + text;
}
