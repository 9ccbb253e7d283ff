import { relative } from "node:path";
import type { History } from "../executor/run/record/history.js";
import { type Account, accountOf, type Happening, type NodeAccount, type SlotAccount } from "./account.js";
import { count, duration, fitted, plural, rate, rough, shortened, textOf } from "./format.js";
import { comparison, failureLines } from "./summary.js";
import { columnsOf, padEndColumns } from "./width.js";

/** Columns of a terminal that nobody widened, and those of everything but the name. */
const WIDTH = 80;
const CELLS = [7, 8, 6, 9, 8, 7];
export const HEADS = ["chunks", "units", "busy", "rate", "retried", "failed"];
const NAME = WIDTH - CELLS.reduce((sum, width) => sum + width + 1, 0);
/** Slots that are shown one by one where nobody asks for more, and lines of what happened and of failures. */
const SLOTS = 64;
const LINES = 20;

/** What a run did, for people. `verbose`: everything, however much. */
export function historyText(history: History, verbose: boolean): string {
  const account = accountOf(history);
  const slots = account.nodes.reduce((sum, node) => sum + node.slots.length, 0);
  const folded = slots > SLOTS && !verbose;
  const most = verbose ? Number.POSITIVE_INFINITY : LINES;
  return textOf([
    ...headLines(history),
    row("node, slot", HEADS),
    ...account.nodes.flatMap((node) => nodeLines(node, folded)),
    ...(folded ? [`${plural(slots, "slot")}: -v shows each`] : []),
    ...slowestLines(account),
    ...some(
      "what happened:",
      account.happenings.map((one) => [happeningLine(one)]),
      most,
    ),
    ...some(
      "chunks that failed:",
      history.failures.map((one) => failureLines(one)),
      most,
    ),
    ...history.missing.map((one) => `note: ${one}`),
    `in ${relative(process.cwd(), history.standing.path) || "."}`,
  ]);
}

/** The same as one JSON document; units in decimal, for they may be large. */
export function historyDocument(history: History) {
  const { standing, seconds, sessions, tried, failures, missing, summary } = history;
  const { nodes, slowest, happenings } = accountOf(history);
  const { name, path: directory, state, chunks, units, started } = standing;
  const run = { name, directory, state, chunks, units, started, seconds, planned: summary?.planned };
  return { ...run, sessions, nodes, slowest, happenings, tried, failures, missing };
}

/** For JSON.stringify: integers beyond 2^53 as decimal text. */
export function decimal(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

function headLines({ standing, seconds, summary, tried, sessions }: History): string[] {
  const { name, state, chunks, started } = standing;
  const failed = chunks.failed === 0 ? "" : `, ${count(chunks.failed)} failed`;
  const begun = started === undefined ? "" : `, since ${started}`;
  const more = sessions.length < 2 ? "" : ` in ${plural(sessions.length, "session")}`;
  const lines = [
    `${name}: ${state}: ${plural(chunks.done, "chunk")} done${failed}`,
    `  ${duration(seconds)} at work${more}${begun}`,
  ];
  if (tried.length > 0) lines.push(`  ${plural(tried.length, "attempt")} failed`);
  if (summary?.planned !== undefined && summary.state === "complete") lines.push(`  ${comparison(summary)}`);
  return lines;
}

function nodeLines(node: NodeAccount, folded: boolean): string[] {
  const { planned } = node;
  const plan = planned === undefined ? [] : [`  planned ${amount(planned.units)} units, did ${amount(planned.done)}`];
  const slots = folded ? [] : node.slots.map((slot) => row(`  slot ${slot.slot}`, cellsOf(slot)));
  return [row(node.node, cellsOf(node)), ...plan, ...slots];
}

/** In the order of HEADS. */
export function cellsOf({ chunks, units, share, rate: speed, retried, failed }: Omit<SlotAccount, "slot">): string[] {
  const known = speed === undefined ? "" : rate(speed);
  const few = (value: number) => (value === 0 ? "" : count(value));
  return [count(chunks), amount(units), `${Math.round(share * 100)} %`, known, few(retried), few(failed)];
}

function amount(units: bigint): string {
  return units < 1000n ? `${units}` : rough(Number(units));
}

function slowestLines({ slowest }: Account): string[] {
  const lines = slowest.map(({ chunk, node, slot, attempt, seconds }) => {
    const where = `: ${duration(seconds)} on ${node} slot ${slot}${attempt === 1 ? "" : `, try ${attempt}`}`;
    return [`  ${shortened(chunk, Math.max(16, WIDTH - 2 - columnsOf(where)))}${where}`];
  });
  return some("slowest chunks:", lines, LINES);
}

function happeningLine({ at, node, slot, what }: Happening): string {
  const where = node === "" ? "" : `${node}${slot === undefined ? "" : ` slot ${slot}`}: `;
  return fitted(`  ${`after ${duration(at)}`.padEnd(16)} ${where}${what.split("\n")[0]}`, WIDTH);
}

/** The first `most` of several entries of one or more lines each, under a head. */
function some(head: string, entries: string[][], most: number): string[] {
  if (entries.length === 0) return [];
  const more = entries.length > most ? [`  and ${count(entries.length - most)} more: -v shows all`] : [];
  return [head, ...entries.slice(0, most).flat(), ...more];
}

function row(name: string, cells: string[]): string {
  const rest = cells.map((cell, index) => cell.padStart(CELLS[index]!));
  return `${padEndColumns(shortened(name, NAME), NAME)} ${rest.join(" ")}`.trimEnd();
}
