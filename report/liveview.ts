import type { LiveNode, LiveRun } from "../executor/run/record/liverun.js";
import { countColumns, padToColumns } from "./columns.js";
import { formatCount, formatRate, pluralize, shortenMiddle, toOneLine } from "./format.js";
import { type BusySlot, listBusySlots, listFarOver, listStalled, secondsSince } from "./liveestimates.js";
import {
  formatAttemptTime,
  formatFarOverSlot,
  formatMemoryWait,
  formatSeconds,
  formatStalledSlot,
  formatTimeLeft,
  formatWaiting,
} from "./livetext.js";
import { formatRefusedTasks } from "./outcometext.js";
import { formatOverhead } from "./overheadtext.js";
import { foldEndedPilots, formatPilots } from "./pilottext.js";
import { countStyledColumns, joinParts, type Paint, paintLine, type StyledPart } from "./styledtext.js";
import { formatEnergy, formatUsageTotals } from "./usagetext.js";

const MAX_NAME_COLUMNS = 20;
const BAR_COLUMNS = 20;
/** A shorter bar is left out. */
const MIN_BAR_COLUMNS = 4;
/** At most so many lines name chunks that are far over their expected time. */
const MAX_FAR_OVER_LINES = 2;

/** The terminal that a view is drawn on. `rows`: the most lines that the view may have. */
export interface ViewFrame {
  columns: number;
  rows: number;
  nowMs: number;
  paint: Paint;
}

/** Returns the live view of a run: its totals in one or two lines, then a line for each node, as many as there are rows. */
export function renderRun(live: LiveRun, label: string, frame: ViewFrame): string[] {
  const { rows, nowMs } = frame;
  const head = [...renderTotals(live, label, frame), ...renderUsage(live, frame)];
  if (live.overhead !== undefined)
    head.push(paintLine([[`  ${formatOverhead(live.overhead)}`, "bad"]], frame.columns - 1, frame.paint));
  const room = Math.min(MAX_FAR_OVER_LINES, Math.max(0, rows - head.length - 1));
  const over = [
    ...listFarOver(live, nowMs).map((slot) => formatFarOverSlot(slot, nowMs, frame.columns - 3)),
    ...listStalled(live, nowMs).map((slot) => formatStalledSlot(slot, nowMs, frame.columns - 3)),
  ].slice(0, room);
  const overLines = over.map((text) => paintLine([[`  ${text}`, "bad"]], frame.columns - 1, frame.paint));
  const { shown, lines } = foldEndedPilots(live.nodes);
  const pilots = [...lines, ...formatPilots(live.pilots)].slice(0, Math.max(0, rows - head.length - over.length));
  const pilotLines = pilots.map((text) => paintLine([[`  ${text}`, "quiet"]], frame.columns - 1, frame.paint));
  const left = rows - head.length - over.length - pilots.length;
  const nodes = renderNodes({ ...live, nodes: shown }, Math.max(0, left), frame);
  return [...head, ...nodes, ...pilotLines, ...overLines].slice(0, Math.max(1, rows));
}

/** Returns the name, the bar, the counts and the times of a run, in one line where they fit, else in two. */
export function renderTotals(live: LiveRun, label: string, { columns, nowMs, paint }: ViewFrame): string[] {
  const width = columns - 1;
  const share = shareDone(live);
  const name = shortenMiddle(label, MAX_NAME_COLUMNS);
  // The share of what has come so far would say little.
  const percent: StyledPart = [live.queue === "open" ? "queue open" : formatShare(share), "plain"];
  const bar: StyledPart[] = [[`${name} `, "strong"], ...renderBar(share, BAR_COLUMNS), [" ", "plain"], percent];
  const left = formatTimeLeft(live, nowMs);
  const elapsed = formatSeconds(secondsSince(live.since, nowMs));
  const times: StyledPart[] = [[left === "" ? elapsed : `${elapsed}, ${left}`, "plain"]];
  const counts = joinParts(listCounts(live), ", ");
  const whole = joinParts([bar, counts, times], "  ");
  if (countStyledColumns(whole) <= width) return [paintLine(whole, width, paint)];
  const rest = joinParts([[percent], times], "  ");
  const room = Math.min(BAR_COLUMNS, width - countStyledColumns([[`${name} [] `, "strong"], ...rest]));
  const first: StyledPart[] = [
    [`${name} `, "strong"],
    ...(room < MIN_BAR_COLUMNS ? [] : [...renderBar(share, room), [" ", "plain"] as const]),
    ...rest,
  ];
  return [first, [["  ", "plain"] as const, ...counts]].map((line) => paintLine(line, width, paint));
}

/** Returns a line about what GPUs used for the results of a run; none where there are no samples. */
export function renderUsage({ usage }: LiveRun, { columns, paint }: ViewFrame): string[] {
  const text = usage === undefined ? "" : formatUsageTotals(usage);
  return text === "" ? [] : [paintLine([[`  GPUs: ${text}`, "quiet"]], columns - 1, paint)];
}

function listCounts(live: LiveRun): StyledPart[][] {
  const { chunks, kind, units, running, waiting } = live;
  const of = kind === "range" ? (chunks.done === 1 ? " chunk" : " chunks") : ` of ${formatCount(BigInt(units.total))}`;
  return [
    [[`${formatCount(chunks.done)}${of} done`, "good"]],
    running === 0 ? [] : [[`${formatCount(running)} running`, "plain"]],
    waiting.units === "0" ? [] : [[formatWaiting(live), "quiet"]],
    chunks.failed === 0 ? [] : [[`${formatCount(chunks.failed)} failed`, "bad"]],
    chunks.stopped === undefined ? [] : [[`${formatCount(chunks.stopped)} stopped`, "quiet"]],
    live.refusedTasks === undefined ? [] : [[formatRefusedTasks(live.refusedTasks), "bad"]],
  ];
}

function renderBar(share: number, columns: number): StyledPart[] {
  const done = Math.floor(share * columns);
  return [
    ["[", "plain"],
    ["#".repeat(done), "good"],
    ["-".repeat(columns - done), "quiet"],
    ["]", "plain"],
  ];
}

/** Returns a line for each node. Where there are more nodes than lines, the last line counts the others. */
function renderNodes(live: LiveRun, room: number, frame: ViewFrame): string[] {
  const { nodes } = live;
  const shown = nodes.length <= room ? nodes : nodes.slice(0, Math.max(0, room - 1));
  const name = Math.max(0, ...shown.map(({ node }) => countColumns(shortenMiddle(node, MAX_NAME_COLUMNS))));
  const busy = new Map<string, BusySlot>();
  for (const slot of listBusySlots(live)) {
    const first = busy.get(slot.node);
    if (first === undefined || slot.running.since < first.running.since) busy.set(slot.node, slot);
  }
  const lines = shown.map((node) =>
    paintLine(renderNode(node, name, busy.get(node.node), live, frame), frame.columns - 1, frame.paint),
  );
  const rest = nodes.slice(shown.length);
  if (rest.length === 0 || room === 0) return lines;
  const more = rest.length + (live.omitted?.nodes ?? 0);
  const running = rest.reduce((sum, node) => sum + node.running, 0);
  const text = `  and ${pluralize(more, "more node")}: ${formatCount(running)} running`;
  return [...lines, paintLine([[text, "quiet"]], frame.columns - 1, frame.paint)];
}

function renderNode(
  node: LiveNode,
  nameColumns: number,
  longest: BusySlot | undefined,
  live: LiveRun,
  { columns, nowMs }: ViewFrame,
): StyledPart[] {
  const name = padToColumns(shortenMiddle(node.node, MAX_NAME_COLUMNS), nameColumns);
  const head: StyledPart = [`  ${name}  `, "plain"];
  if (node.state !== "live") {
    const why = node.reason === undefined ? node.state : `${node.state}: ${node.reason}`;
    return [head, [toOneLine(why), node.state === "connecting" ? "quiet" : "bad"]];
  }
  const parts = joinParts(listNodeParts(node, secondsSince(live.since, nowMs)), ", ");
  if (longest === undefined) return [head, ...parts];
  const time = `: ${formatAttemptTime(longest.running, nowMs)}`;
  const room = columns - 1 - countStyledColumns([head, ...parts]) - countColumns(time) - 2;
  const chunk = room < 4 ? "" : shortenMiddle(longest.running.chunk, Math.min(room, 2 * MAX_NAME_COLUMNS));
  return [head, ...parts, ["  ", "plain"], [`${chunk}${time}`, "quiet"]];
}

function listNodeParts(node: LiveNode, sessionSeconds: number): StyledPart[][] {
  const { slots, running, chunks, units, failedAttempts, disabledSlots, memoryWaitingSlots, drained, usage } = node;
  return [
    [[`${running}/${slots} running`, "plain"]],
    [[`${formatCount(chunks)} done`, chunks === 0 ? "quiet" : "good"]],
    chunks === 0 ? [] : [[formatRate(Number(units) / Math.max(0.001, sessionSeconds)), "plain"]],
    usage?.wattHours === undefined ? [] : [[formatEnergy(usage.wattHours), "quiet"]],
    failedAttempts === 0 ? [] : [[`${formatCount(failedAttempts)} failed`, "bad"]],
    drained === undefined ? [] : [[toOneLine(drained), "bad"]],
    disabledSlots === 0 ? [] : [[`${pluralize(disabledSlots, "slot")} disabled`, "bad"]],
    memoryWaitingSlots === 0 ? [] : [[formatMemoryWait(memoryWaitingSlots), "quiet"]],
  ];
}

/** Returns the share of units that are done, 0 to 1. */
function shareDone({ units }: LiveRun): number {
  const total = BigInt(units.total);
  return total === 0n ? 1 : Number((BigInt(units.done) * 10_000n) / total) / 10_000;
}

/** Formats a share rounded down, so that it is never 100 % too early. */
function formatShare(share: number): string {
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}
