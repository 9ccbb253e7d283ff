import { relative } from "node:path";
import type { StopReason } from "../executor/run/record/journalentry.js";
import type { RunHistory } from "../executor/run/record/runhistory.js";
import { FailureGroups } from "../executor/schedule/halting/failuregroups.js";
import { formatLocalTime } from "../schemas/localtime.js";
import { breakDownRun, type NodeBreakdown, type RunBreakdown, type RunEvent, type SlotBreakdown } from "./breakdown.js";
import { countColumns, padToColumns, TERMINAL_COLUMNS } from "./columns.js";
import { formatFailureGroups } from "./failuretext.js";
import {
  formatCount,
  formatDuration,
  formatRate,
  formatWithPrefix,
  pluralize,
  shortenMiddle,
  toPrintableText,
  truncateEnd,
} from "./format.js";
import { formatLiveRun } from "./livetext.js";
import { formatOtherOutcomes } from "./outcometext.js";
import { comparePlanAndActual } from "./plancomparison.js";
import { hasOnlyFailures } from "./summarytext.js";
import { formatUsageTable } from "./usagetext.js";

const CELL_COLUMNS = [7, 8, 6, 9, 8, 7];
export const COLUMN_HEADS = ["chunks", "units", "busy", "rate", "retried", "failed"];
const NAME_COLUMNS = TERMINAL_COLUMNS - CELL_COLUMNS.reduce((sum, width) => sum + width + 1, 0);
/** Limits of the slots, and of the events and failures, that are listed without `verbose`. */
const MAX_LISTED_SLOTS = 64;
const MAX_LISTED_ENTRIES = 20;

/** Formats the report of a run for a terminal. `verbose`: without limits on the number of lines. */
export function formatHistory(history: RunHistory, verbose: boolean, nowMs = Date.now()): string {
  const account = breakDownRun(history);
  const slots = account.nodes.reduce((sum, node) => sum + node.slots.length, 0);
  const isFolded = slots > MAX_LISTED_SLOTS && !verbose;
  const limit = verbose ? Number.POSITIVE_INFINITY : MAX_LISTED_ENTRIES;
  return toPrintableText([
    ...formatHead(history),
    ...(history.status.state === "running" && history.status.live !== undefined
      ? formatLiveRun(history.status.live, nowMs, verbose)
      : []),
    formatRow("node, slot", COLUMN_HEADS),
    ...account.nodes.flatMap((node) => formatNode(node, isFolded)),
    ...(isFolded ? [`${pluralize(slots, "slot")}: use -v to list them`] : []),
    ...formatUsageTable(history.usage),
    ...formatSlowest(account),
    ...formatSection(
      "events:",
      account.happenings.map((one) => [formatRunEvent(one)]),
      limit,
    ),
    ...formatSection("failed chunks:", formatFailureGroups(new FailureGroups(history.failures).all, verbose), limit),
    ...history.missing.map((one) => `note: ${one}`),
    `in ${relative(process.cwd(), history.status.path) || "."}`,
  ]);
}

/** Returns the report as a JSON document. Serialize it with `bigintToDecimal`. */
export function buildHistoryDocument(history: RunHistory) {
  const { status, seconds, sessions, failedAttempts: tried, failures, missing, summary, usage } = history;
  const { stoppedAttempts: stopped, openAttempts: running } = history;
  const { nodes, slowest, happenings } = breakDownRun(history);
  const { name, path: directory, state, chunks, units, started } = status;
  const run = { name, directory, state, chunks, units, started, seconds, planned: summary?.planned };
  return {
    ...run,
    live: status.live,
    sessions,
    nodes,
    usage,
    slowest,
    happenings,
    tried,
    stopped,
    running,
    failures,
    missing,
  };
}

/** A replacer for JSON.stringify that writes bigints as decimal strings. */
export function bigintToDecimal(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

/** Returns the first line about a run, and further facts, one a line: how long it was active, and how its attempts ended. */
export function describeRunHead(history: RunHistory): { title: string; facts: string[] } {
  const { status, seconds, summary, failedAttempts, stoppedAttempts, openAttempts, sessions } = history;
  const { name, state, chunks, started } = status;
  const title = hasOnlyFailures(status)
    ? `${name}: failed: all ${pluralize(chunks.failed, "chunk")}`
    : `${name}: ${state}: ${pluralize(chunks.done, "chunk")} done${formatOtherOutcomes(chunks)}`;
  const begun = started === undefined ? "" : `, started ${formatLocalTime(new Date(started), "seconds")}`;
  const more = sessions.length < 2 ? "" : ` in ${pluralize(sessions.length, "session")}`;
  const count = (reason: StopReason) => stoppedAttempts.filter(({ why }) => why === reason).length;
  const [superseded, preempted] = [count("superseded"), count("preempted")];
  const counts = [
    ...(failedAttempts.length > 0 ? [`${pluralize(failedAttempts.length, "attempt")} failed`] : []),
    ...(superseded > 0 ? [`${pluralize(superseded, "attempt")} superseded`] : []),
    ...(preempted > 0 ? [`${pluralize(preempted, "attempt")} preempted`] : []),
    ...(openAttempts.length > 0 ? [`${pluralize(openAttempts.length, "attempt")} running`] : []),
  ];
  const reasons = status.reason === undefined ? [] : [status.reason];
  const facts = [...reasons, `active for ${formatDuration(seconds)}${more}${begun}`];
  if (counts.length > 0) facts.push(counts.join(", "));
  if (summary?.planned !== undefined && summary.state === "complete") facts.push(comparePlanAndActual(summary));
  return { title, facts };
}

function formatHead(history: RunHistory): string[] {
  const { title, facts } = describeRunHead(history);
  return [title, ...facts.map((fact) => `  ${fact}`)];
}

function formatNode(node: NodeBreakdown, isFolded: boolean): string[] {
  const { planned } = node;
  const plan =
    planned === undefined ? [] : [`  planned ${formatUnits(planned.units)} units, done ${formatUnits(planned.done)}`];
  const slots = isFolded ? [] : node.slots.map((slot) => formatRow(`  slot ${slot.slot}`, formatCells(slot)));
  return [formatRow(node.node, formatCells(node)), ...plan, ...slots];
}

/** Returns the cells of a row in the order of COLUMN_HEADS. */
export function formatCells({ chunks, units, share, rate, retried, failed }: Omit<SlotBreakdown, "slot">): string[] {
  const rateText = rate === undefined ? "" : formatRate(rate);
  const blankIfZero = (value: number) => (value === 0 ? "" : formatCount(value));
  return [
    formatCount(chunks),
    formatUnits(units),
    `${Math.round(share * 100)} %`,
    rateText,
    blankIfZero(retried),
    blankIfZero(failed),
  ];
}

function formatUnits(units: bigint): string {
  return units < 1000n ? `${units}` : formatWithPrefix(Number(units));
}

function formatSlowest({ slowest }: RunBreakdown): string[] {
  const lines = slowest.map(({ chunk, node, slot, attempt, seconds }) => {
    const where = `: ${formatDuration(seconds)} on ${node} slot ${slot}${attempt === 1 ? "" : `, attempt ${attempt}`}`;
    return [`  ${shortenMiddle(chunk, Math.max(16, TERMINAL_COLUMNS - 2 - countColumns(where)))}${where}`];
  });
  return formatSection("slowest chunks:", lines, MAX_LISTED_ENTRIES);
}

function formatRunEvent({ at, node, slot, what }: RunEvent): string {
  const where = node === "" ? "" : `${node}${slot === undefined ? "" : ` slot ${slot}`}: `;
  return truncateEnd(`  ${`after ${formatDuration(at)}`.padEnd(16)} ${where}${what.split("\n")[0]}`, TERMINAL_COLUMNS);
}

/** Returns the lines of the first `limit` entries below a heading. */
function formatSection(head: string, entries: string[][], limit: number): string[] {
  if (entries.length === 0) return [];
  const more = entries.length > limit ? [`  and ${formatCount(entries.length - limit)} more: use -v to list all`] : [];
  return [head, ...entries.slice(0, limit).flat(), ...more];
}

function formatRow(name: string, cells: string[]): string {
  const rest = cells.map((cell, index) => cell.padStart(CELL_COLUMNS[index]!));
  return `${padToColumns(shortenMiddle(name, NAME_COLUMNS), NAME_COLUMNS)} ${rest.join(" ")}`.trimEnd();
}
