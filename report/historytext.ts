import { relative } from "node:path";
import type { RunHistory } from "../executor/run/record/runhistory.js";
import { breakDownRun, type NodeBreakdown, type RunBreakdown, type RunEvent, type SlotBreakdown } from "./breakdown.js";
import { countColumns, padToColumns } from "./columns.js";
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
import { comparePlanAndActual, formatFailure } from "./summarytext.js";

/** Columns of a terminal that nobody widened, and those of everything but the name. */
const TERMINAL_COLUMNS = 80;
const CELL_COLUMNS = [7, 8, 6, 9, 8, 7];
export const COLUMN_HEADS = ["chunks", "units", "busy", "rate", "retried", "failed"];
const NAME_COLUMNS = TERMINAL_COLUMNS - CELL_COLUMNS.reduce((sum, width) => sum + width + 1, 0);
/** Slots that are shown one by one where nobody asks for more, and lines of what happened and of failures. */
const MAX_LISTED_SLOTS = 64;
const MAX_LISTED_ENTRIES = 20;

/** What a run did, for people. `verbose`: everything, however much. */
export function formatHistory(history: RunHistory, verbose: boolean): string {
  const account = breakDownRun(history);
  const slots = account.nodes.reduce((sum, node) => sum + node.slots.length, 0);
  const folded = slots > MAX_LISTED_SLOTS && !verbose;
  const most = verbose ? Number.POSITIVE_INFINITY : MAX_LISTED_ENTRIES;
  return toPrintableText([
    ...formatHead(history),
    formatRow("node, slot", COLUMN_HEADS),
    ...account.nodes.flatMap((node) => formatNode(node, folded)),
    ...(folded ? [`${pluralize(slots, "slot")}: -v shows each`] : []),
    ...formatSlowest(account),
    ...formatSection(
      "what happened:",
      account.happenings.map((one) => [formatRunEvent(one)]),
      most,
    ),
    ...formatSection(
      "chunks that failed:",
      history.failures.map((one) => formatFailure(one)),
      most,
    ),
    ...history.missing.map((one) => `note: ${one}`),
    `in ${relative(process.cwd(), history.status.path) || "."}`,
  ]);
}

/** The same as one JSON document; units in decimal, for they may be large. */
export function buildHistoryDocument(history: RunHistory) {
  const { status: standing, seconds, sessions, failedAttempts: tried, failures, missing, summary } = history;
  const { nodes, slowest, happenings } = breakDownRun(history);
  const { name, path: directory, state, chunks, units, started } = standing;
  const run = { name, directory, state, chunks, units, started, seconds, planned: summary?.planned };
  return { ...run, sessions, nodes, slowest, happenings, tried, failures, missing };
}

/** For JSON.stringify: integers beyond 2^53 as decimal text. */
export function bigintToDecimal(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

function formatHead({ status: standing, seconds, summary, failedAttempts: tried, sessions }: RunHistory): string[] {
  const { name, state, chunks, started } = standing;
  const failed = chunks.failed === 0 ? "" : `, ${formatCount(chunks.failed)} failed`;
  const begun = started === undefined ? "" : `, since ${started}`;
  const more = sessions.length < 2 ? "" : ` in ${pluralize(sessions.length, "session")}`;
  const lines = [
    `${name}: ${state}: ${pluralize(chunks.done, "chunk")} done${failed}`,
    `  ${formatDuration(seconds)} at work${more}${begun}`,
  ];
  if (tried.length > 0) lines.push(`  ${pluralize(tried.length, "attempt")} failed`);
  if (summary?.planned !== undefined && summary.state === "complete") lines.push(`  ${comparePlanAndActual(summary)}`);
  return lines;
}

function formatNode(node: NodeBreakdown, folded: boolean): string[] {
  const { planned } = node;
  const plan =
    planned === undefined ? [] : [`  planned ${formatUnits(planned.units)} units, did ${formatUnits(planned.done)}`];
  const slots = folded ? [] : node.slots.map((slot) => formatRow(`  slot ${slot.slot}`, formatCells(slot)));
  return [formatRow(node.node, formatCells(node)), ...plan, ...slots];
}

/** In the order of HEADS. */
export function formatCells({
  chunks,
  units,
  share,
  rate: speed,
  retried,
  failed,
}: Omit<SlotBreakdown, "slot">): string[] {
  const known = speed === undefined ? "" : formatRate(speed);
  const few = (value: number) => (value === 0 ? "" : formatCount(value));
  return [formatCount(chunks), formatUnits(units), `${Math.round(share * 100)} %`, known, few(retried), few(failed)];
}

function formatUnits(units: bigint): string {
  return units < 1000n ? `${units}` : formatWithPrefix(Number(units));
}

function formatSlowest({ slowest }: RunBreakdown): string[] {
  const lines = slowest.map(({ chunk, node, slot, attempt, seconds }) => {
    const where = `: ${formatDuration(seconds)} on ${node} slot ${slot}${attempt === 1 ? "" : `, try ${attempt}`}`;
    return [`  ${shortenMiddle(chunk, Math.max(16, TERMINAL_COLUMNS - 2 - countColumns(where)))}${where}`];
  });
  return formatSection("slowest chunks:", lines, MAX_LISTED_ENTRIES);
}

function formatRunEvent({ at, node, slot, what }: RunEvent): string {
  const where = node === "" ? "" : `${node}${slot === undefined ? "" : ` slot ${slot}`}: `;
  return truncateEnd(`  ${`after ${formatDuration(at)}`.padEnd(16)} ${where}${what.split("\n")[0]}`, TERMINAL_COLUMNS);
}

/** The first `most` of several entries of one or more lines each, under a head. */
function formatSection(head: string, entries: string[][], most: number): string[] {
  if (entries.length === 0) return [];
  const more = entries.length > most ? [`  and ${formatCount(entries.length - most)} more: -v shows all`] : [];
  return [head, ...entries.slice(0, most).flat(), ...more];
}

function formatRow(name: string, cells: string[]): string {
  const rest = cells.map((cell, index) => cell.padStart(CELL_COLUMNS[index]!));
  return `${padToColumns(shortenMiddle(name, NAME_COLUMNS), NAME_COLUMNS)} ${rest.join(" ")}`.trimEnd();
}
