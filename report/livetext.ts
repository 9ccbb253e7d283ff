import type { LiveAttempt, LiveNode, LiveRun } from "../executor/run/record/liverun.js";
import { formatSlots } from "../executor/schedule/slots/groupbyreason.js";
import { TERMINAL_COLUMNS } from "./columns.js";
import { formatCount, formatDuration, formatRate, pluralize, shortenMiddle, toOneLine, truncateEnd } from "./format.js";
import {
  type BusySlot,
  estimateSecondsLeft,
  findStallSeconds,
  listBusySlots,
  listFarOver,
  listStalled,
  secondsSince,
  timeAttempt,
} from "./liveestimates.js";
import { formatOverhead } from "./overheadtext.js";
import { foldEndedPilots, formatPilots } from "./pilottext.js";
import { formatUsageTotals } from "./usagetext.js";

/** Limits of the lines without `verbose`. */
const MAX_LISTED_SLOTS = 64;
const MAX_LISTED_FAR_OVER = 5;
/** A longer text of a program is truncated. */
const MAX_TEXT_COLUMNS = 30;

/** Returns lines that say what runs where, and how long that should take. They are printable only in `toPrintableText`. */
export function formatLiveRun(live: LiveRun, nowMs: number, verbose: boolean): string[] {
  const busy = listBusySlots(live);
  const isFolded = busy.length > MAX_LISTED_SLOTS && !verbose;
  const { shown, lines: folded } = foldEndedPilots(live.nodes);
  const lines = shown.flatMap((node) => [
    fit(`  ${toOneLine(node.node)}: ${formatNodeState(node, secondsSince(live.since, nowMs))}`),
    ...(isFolded ? [] : busy.filter((slot) => slot.node === node.node).map((slot) => formatBusySlot(slot, nowMs))),
  ]);
  if (isFolded) lines.push(`  ${pluralize(busy.length, "chunk")} run: use -v to list them`);
  const overhead = live.overhead === undefined ? [] : [`  ${formatOverhead(live.overhead)}`];
  const usage = live.usage === undefined ? [] : [`  GPUs: ${formatUsageTotals(live.usage)}`];
  return [
    `  ${formatLiveTotal(live, nowMs)}`,
    ...overhead,
    ...usage,
    ...lines,
    ...[...folded, ...formatPilots(live.pilots)].map((line) => fit(`  ${line}`)),
    ...formatOmitted(live),
    ...formatFarOver(live, nowMs),
  ];
}

/** Returns how much runs and waits, and how long the run still takes. */
export function formatLiveTotal(live: LiveRun, nowMs: number): string {
  const parts = [formatRunning(live.running, live.usableSlots)];
  if (live.waiting.units !== "0") parts.push(formatWaiting(live));
  return [...parts, formatTimeLeft(live, nowMs)].filter((part) => part !== "").join(", ");
}

/** Returns what waits: "1,440 waiting", of a range in units. */
export function formatWaiting({ kind, waiting }: LiveRun): string {
  return `${formatCount(BigInt(waiting.units))} ${kind === "range" ? "units " : ""}waiting`;
}

/** Whether a queue that is open has nothing to do. */
export function isWaitingForTasks({ queue, running, waiting, collecting }: LiveRun): boolean {
  return queue === "open" && running === 0 && waiting.units === "0" && collecting === 0;
}

/**
 * Returns "about 3 min 20 s left", "time left unknown", or nothing where nothing is left. Of a queue that is open: "about 3 min 20 s of
 * work", or "waiting for tasks".
 */
export function formatTimeLeft(live: LiveRun, nowMs: number): string {
  const isOpen = live.queue === "open";
  if (live.running === 0 && live.waiting.units === "0") {
    if (live.collecting > 0) return isOpen ? "collecting results" : "collecting the last results";
    return isWaitingForTasks(live) ? "waiting for tasks" : "";
  }
  const left = estimateSecondsLeft(live, nowMs);
  if (left === undefined) return isOpen ? "" : "time left unknown";
  return `about ${formatSeconds(Math.max(1, left))} ${isOpen ? "of work" : "left"}`;
}

/** Returns the names of chunks that have taken far longer than expected, or make no progress, one a line. */
export function formatFarOver(live: LiveRun, nowMs: number): string[] {
  const over = listFarOver(live, nowMs);
  const lines = over
    .slice(0, MAX_LISTED_FAR_OVER)
    .map((slot) => `  ${formatFarOverSlot(slot, nowMs, TERMINAL_COLUMNS - 2)}`);
  const more = over.length - lines.length;
  if (more > 0) lines.push(`  and ${pluralize(more, "more chunk")} far over the expected time`);
  return [...lines, ...formatStalled(live, nowMs)];
}

function formatStalled(live: LiveRun, nowMs: number): string[] {
  const stalled = listStalled(live, nowMs);
  const lines = stalled
    .slice(0, MAX_LISTED_FAR_OVER)
    .map((slot) => `  ${formatStalledSlot(slot, nowMs, TERMINAL_COLUMNS - 2)}`);
  const more = stalled.length - lines.length;
  return more > 0 ? [...lines, `  and ${pluralize(more, "more chunk")} without progress`] : lines;
}

/** Returns one line about a chunk that has taken far longer than expected. */
export function formatFarOverSlot({ node, slot, running }: BusySlot, nowMs: number, width: number): string {
  const { elapsedSeconds } = timeAttempt(running, nowMs);
  const text = `: running for ${formatSeconds(elapsedSeconds)}, ${formatSeconds(Math.max(1, running.expectedSeconds ?? 0))} expected`;
  const place = ` on ${shortenMiddle(node, 24)} slot ${slot}`;
  return `${shortenMiddle(running.chunk, Math.max(8, width - place.length - text.length))}${place}${text}`;
}

/** Returns one line about a chunk that reports its progress and has made none for long. */
export function formatStalledSlot({ node, slot, running }: BusySlot, nowMs: number, width: number): string {
  const text = `: no progress for ${formatSeconds(findStallSeconds(running, nowMs) ?? 0)}`;
  const place = ` on ${shortenMiddle(node, 24)} slot ${slot}`;
  return `${shortenMiddle(running.chunk, Math.max(8, width - place.length - text.length))}${place}${text}`;
}

/** Returns how far an attempt is: "12 s of about 30 s, 40 %, step 3: 0.25, epoch 3". */
export function formatAttemptTime(attempt: LiveAttempt, nowMs: number): string {
  const { elapsedSeconds, totalSeconds } = timeAttempt(attempt, nowMs);
  const total = totalSeconds === undefined ? "" : ` of about ${formatSeconds(Math.max(1, totalSeconds))}`;
  const share = attempt.progress === undefined ? "" : `, ${Math.floor(attempt.progress * 100)} %`;
  const value = attempt.value === undefined ? "" : `, ${formatValue(attempt.value)}`;
  const text = attempt.text === undefined ? "" : `, ${truncateEnd(attempt.text, MAX_TEXT_COLUMNS)}`;
  return `${formatSeconds(elapsedSeconds)}${total}${share}${value}${text}`;
}

/** Returns the last value that a program has reported: "step 3: 0.25". */
function formatValue({ step, value }: NonNullable<LiveAttempt["value"]>): string {
  return `step ${step}: ${value === null ? "not a number" : Number(value.toPrecision(5))}`;
}

/** Returns the state of a node: how many of its slots run, what it has done in this session, and what is wrong. */
export function formatNodeState(node: LiveNode, sessionSeconds: number): string {
  const { state, reason, slots, running, chunks, failedAttempts, disabledSlots, memoryWaitingSlots, drained } = node;
  if (state !== "live") return toOneLine(`${state}${reason === undefined ? "" : `: ${reason}`}`);
  const parts = [formatRunning(running, slots), `${formatCount(chunks)} done`];
  if (chunks > 0 && sessionSeconds > 0) parts.push(formatRate(Number(node.units) / sessionSeconds));
  if (drained !== undefined) parts.push(toOneLine(drained));
  if (disabledSlots > 0) parts.push(`${pluralize(disabledSlots, "slot")} disabled`);
  if (memoryWaitingSlots > 0) parts.push(formatMemoryWait(memoryWaitingSlots));
  if (failedAttempts > 0) parts.push(`${formatCount(failedAttempts)} failed`);
  return parts.join(", ");
}

/** A coordinator that resumes a run knows what runs on a node before it knows the node's slots. */
function formatRunning(running: number, slots: number): string {
  if (running > slots) return `${pluralize(running, "chunk")} run${running === 1 ? "s" : ""}`;
  return `${formatCount(running)} of ${pluralize(slots, "slot")} run${running === 1 ? "s" : ""}`;
}

/** Returns a duration without fractions of a second, which would change with each redraw: "9 s", "3 min 20 s". */
export function formatSeconds(seconds: number): string {
  return seconds < 10 ? `${Math.floor(seconds)} s` : formatDuration(Math.floor(seconds));
}

/** Formats how many slots of a node wait until its memory suffices for their work. */
export function formatMemoryWait(short: number): string {
  return short === 0
    ? "no slot waits for memory now"
    : `${pluralize(short, "slot")} wait${short === 1 ? "s" : ""} for memory`;
}

function formatBusySlot({ slot, queued, running }: BusySlot, nowMs: number): string {
  const more = queued === undefined ? "" : `, ${formatCount(queued)} queued`;
  const attempt = running.attempt > 1 ? `, attempt ${running.attempt}` : "";
  const time = `since ${formatTimeOfDay(new Date(running.since))}, ${formatAttemptTime(running, nowMs)}${attempt}${more}`;
  const head = running.slots === undefined ? `    slot ${slot}: ` : `    ${formatSlots(running.slots)}: `;
  const width = Math.max(8, TERMINAL_COLUMNS - head.length - time.length - 1);
  return fit(`${head}${shortenMiddle(running.chunk, width)} ${time}`);
}

function formatOmitted({ omitted }: LiveRun): string[] {
  if (omitted === undefined) return [];
  return [`  ${pluralize(omitted.nodes, "more node")} and ${pluralize(omitted.slots, "more slot")} are not listed`];
}

function formatTimeOfDay(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return Number.isNaN(date.getTime())
    ? "?"
    : `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function fit(line: string): string {
  return truncateEnd(line, TERMINAL_COLUMNS);
}
