import { basename, relative } from "node:path";
import type { AnyStanding, StepStanding } from "../executor/pipeline/standing.js";
import type { Leftover } from "../executor/run/record/leftovers.js";
import type { Standing } from "../executor/run/record/standing.js";
import { count, duration, oneLine, plural, shortened, textOf } from "./format.js";
import { nodeNames } from "./leftovers.js";
import { columnsOf, padEndColumns } from "./width.js";

/** Columns of a terminal that nobody widened, and those of everything but the name. */
const WIDTH = 80;
const CELLS = [11, 7, 6, 5, 11, 0];
const NAME = 24;
/** Days after which a year says more than the time of day. */
const OLD = 180;

/** The table of runs, oldest first, by the names of their run directories. `now`: milliseconds. */
export function runsText(runs: Standing[], now: number): string {
  if (runs.length === 0) return "no runs";
  const widest = Math.min(NAME, Math.max(4, ...runs.map((run) => columnsOf(oneLine(basename(run.path))))));
  const head = row(widest, ["run", "state", "done", "failed", "nodes", "started", "took"]);
  const rows = inOrder(runs).flatMap((run) => [
    row(widest, [
      basename(run.path),
      run.state,
      share(run),
      run.chunks.failed === 0 ? "" : count(run.chunks.failed),
      run.nodes.length === 0 ? "" : count(run.nodes.length),
      run.started === undefined ? "" : day(new Date(run.started), now),
      run.seconds === undefined ? "" : duration(run.seconds),
    ]),
    ...(run.reason === undefined ? [] : [`    ${shortened(run.reason, WIDTH - 4)}`]),
    ...(run.leftovers === undefined ? [] : [`    ${shortened(leftoversText(run.leftovers), WIDTH - 4)}`]),
  ]);
  return textOf([head, ...rows]);
}

/** One run, in lines of its own. `now`: milliseconds. */
export function runText(run: AnyStanding, now: number): string {
  const { state, chunks, nodes, leftovers, started, seconds, coordinator } = run;
  const failed = chunks.failed === 0 ? "" : `, ${count(chunks.failed)} failed`;
  const what = run.steps === undefined ? "chunk" : "step";
  const progress = [share(run), `${plural(chunks.done, what)} done${failed}`].filter((part) => part !== "");
  const lines = [`${run.name}: ${state}: ${progress.join(", ")}`];
  if (run.reason !== undefined) lines.push(`  ${run.reason}`);
  if (started !== undefined && seconds !== undefined)
    lines.push(
      `  started ${day(new Date(started), now)}, took ${duration(seconds)}${state === "running" ? " so far" : ""}`,
    );
  if (coordinator !== undefined) lines.push(`  process ${coordinator.pid} on ${coordinator.host}`);
  if (nodes.length > 0) lines.push(`  nodes: ${nodes.join(", ")}`);
  const where = relative(process.cwd(), run.path) || ".";
  if (leftovers !== undefined) lines.push(`  ${leftoversText(leftovers)}; to clean up: muster cancel ${where}`);
  lines.push(...(run.steps ?? []).map(stepLine));
  lines.push(`  in ${where}`);
  return textOf(lines);
}

function leftoversText(leftovers: Leftover[]): string {
  return `may still hold work of it: ${nodeNames(leftovers.map(({ node }) => node))}`;
}

/** The same as one JSON document. */
export function runsDocument(runs: Standing[]) {
  return { runs: inOrder(runs) };
}

function stepLine({ step, state, seconds, run, reason }: StepStanding): string {
  const parts = [
    state,
    ...(run === undefined ? [] : [share(run), plural(run.chunks.done, "chunk")]),
    ...(run !== undefined && run.chunks.failed > 0 ? [`${count(run.chunks.failed)} failed`] : []),
    ...(seconds === undefined ? [] : [duration(seconds)]),
    ...(reason === undefined ? [] : [reason.split("\n")[0]!]),
  ];
  return shortened(`  ${step}: ${parts.filter((part) => part !== "").join(", ")}`, WIDTH);
}

function inOrder(runs: Standing[]): Standing[] {
  return [...runs].sort(
    (a, b) => Date.parse(a.started ?? "") - Date.parse(b.started ?? "") || (a.path < b.path ? -1 : 1),
  );
}

/** How much is done: per cent, never 100 before the end. */
function share({ units: { done, total } }: Standing): string {
  if (total === undefined || total === "0") return "";
  const tenths = Number((BigInt(done) * 1000n) / BigInt(total));
  return `${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)} %`;
}

function row(widest: number, [name = "", ...cells]: string[]): string {
  const rest = cells.map((cell, index) => cell.padEnd(CELLS[index]!));
  return [padEndColumns(shortened(name, widest), widest), ...rest].join("  ").trimEnd();
}

/** As `ls` has it: "11-24 16:55", or "2025-11-24" where that is long ago. */
function day(date: Date, now: number): string {
  if (Number.isNaN(date.getTime())) return "?";
  const two = (value: number) => String(value).padStart(2, "0");
  const monthAndDay = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const isOld = Math.abs(now - date.getTime()) > OLD * 86_400_000;
  return isOld
    ? `${date.getFullYear()}-${monthAndDay}`
    : `${monthAndDay} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
