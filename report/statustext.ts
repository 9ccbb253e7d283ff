import { basename, relative } from "node:path";
import type { AnyRunStatus, StepStatus } from "../executor/pipeline/anyrunstatus.js";
import type { Leftover } from "../executor/run/record/leftovers.js";
import type { RunStatus } from "../executor/run/record/runstatus.js";
import { countColumns, padToColumns, TERMINAL_COLUMNS } from "./columns.js";
import { formatCount, formatDuration, pluralize, shortenMiddle, toOneLine, toPrintableText } from "./format.js";
import { formatNodeNames } from "./leftovertext.js";
import { formatLiveRun, formatLiveTotal } from "./livetext.js";
import { formatOtherOutcomes, formatRefusedTasks } from "./outcometext.js";
import { foldPilotNames } from "./pilottext.js";

const CELL_COLUMNS = [11, 7, 6, 5, 11, 0];
const MAX_NAME_COLUMNS = 24;
/** How runs end of which work is left that the same command does. */
const RESUMABLE: readonly RunStatus["state"][] = ["interrupted", "cancelled", "halted", "stranded"];
/** Older dates are shown with the year instead of the time. */
const SHOW_YEAR_AFTER_DAYS = 180;

/** Returns the table of runs, oldest first. `now` is Unix time in milliseconds. */
export function formatRunsTable(runs: RunStatus[], now: number): string {
  if (runs.length === 0) return "no runs";
  const widest = Math.min(
    MAX_NAME_COLUMNS,
    Math.max(4, ...runs.map((run) => countColumns(toOneLine(basename(run.path))))),
  );
  const head = formatRow(widest, ["run", "state", "done", "failed", "nodes", "started", "took"]);
  const rows = sortByStart(runs).flatMap((run) => [
    formatRow(widest, [
      basename(run.path),
      run.state,
      formatShare(run),
      run.chunks.failed === 0 ? "" : formatCount(run.chunks.failed),
      run.nodes.length === 0 ? "" : formatCount(run.nodes.length),
      run.started === undefined ? "" : formatDate(new Date(run.started), now),
      run.seconds === undefined ? "" : formatDuration(run.seconds),
    ]),
    ...(run.state !== "running" || run.live === undefined ? [] : [`    ${formatLiveTotal(run.live, now)}`]),
    ...(run.reason === undefined ? [] : [`    ${shortenMiddle(run.reason, TERMINAL_COLUMNS - 4)}`]),
    ...(run.leftovers === undefined
      ? []
      : [`    ${shortenMiddle(formatLeftoverNodes(run.leftovers), TERMINAL_COLUMNS - 4)}`]),
  ]);
  return toPrintableText([head, ...rows]);
}

/** Returns the status of one run. `now` is Unix time in milliseconds. `verbose`: without limits on the number of lines. */
export function formatRunStatus(run: AnyRunStatus, now: number, verbose = false): string {
  const { state, chunks, nodes, leftovers, started, seconds, coordinator } = run;
  const noun = run.steps === undefined ? "chunk" : "step";
  const progress = [formatShare(run), `${pluralize(chunks.done, noun)} done${formatOtherOutcomes(chunks)}`].filter(
    (part) => part !== "",
  );
  const lines = [`${run.name}: ${state}: ${progress.join(", ")}`];
  if (run.queue === "open") lines.push(`  its queue is open: add tasks with muster add, or close it with --close`);
  if (run.refusedTasks !== undefined) lines.push(`  ask: ${formatRefusedTasks(run.refusedTasks)}: see ask.log`);
  if (run.reason !== undefined) lines.push(`  ${run.reason}`);
  if (started !== undefined && seconds !== undefined)
    lines.push(
      `  started ${formatDate(new Date(started), now)}, took ${formatDuration(seconds)}${state === "running" ? " so far" : ""}`,
    );
  if (coordinator !== undefined) lines.push(`  process ${coordinator.pid} on ${coordinator.host}`);
  lines.push(...formatActivity(run, now, verbose));
  if (run.live === undefined && RESUMABLE.includes(state)) lines.push(`  ${describeRepetition(run)} to resume`);
  if (nodes.length > 0 && run.live === undefined) lines.push(`  nodes: ${foldPilotNames(nodes).join(", ")}`);
  const where = relative(process.cwd(), run.path) || ".";
  if (leftovers !== undefined) lines.push(`  ${formatLeftoverNodes(leftovers)}; to clean up: muster cancel ${where}`);
  if (run.pilots !== undefined)
    lines.push(
      `  may wait or run in a queue: ${foldPilotNames(run.pilots).join(", ")}; to end them: muster cancel ${where}`,
    );
  for (const step of run.steps ?? []) {
    lines.push(formatStepStatus(step));
    if (step.run !== undefined) lines.push(...formatActivity(step.run, now, verbose).map((line) => `  ${line}`));
  }
  lines.push(`  in ${where}`);
  return toPrintableText(lines);
}

/** Returns lines about what runs now, or ran when the coordinator was killed. */
function formatActivity(run: RunStatus, now: number, verbose: boolean): string[] {
  const { state, live } = run;
  if (live === undefined) return [];
  if (state === "running") return formatLiveRun(live, now, verbose);
  const nodes = live.nodes.filter(({ running }) => running > 0).length;
  const ran =
    live.running === 0 ? "nothing ran" : `${pluralize(live.running, "chunk")} ran on ${pluralize(nodes, "node")}`;
  return [
    `  process ${live.pid} on ${live.host} ended without closing the run`,
    `  when it last wrote, at ${formatDate(new Date(live.written), now)}, ${ran}`,
    `  ${describeRepetition(run)}: it collects what the nodes still have`,
  ];
}

/** Returns what continues a run. A directory of another name is not the one that its job has by default. */
function describeRepetition({ name, path }: Pick<RunStatus, "name" | "path">): string {
  if (basename(path) === name) return "run the same command again";
  return `run its job with --out ${relative(process.cwd(), path) || "."}`;
}

function formatLeftoverNodes(leftovers: Leftover[]): string {
  return `may still hold work of this run: ${formatNodeNames(leftovers.map(({ node }) => node))}`;
}

/** Returns the runs as one JSON document, oldest first. */
export function buildRunsDocument(runs: RunStatus[]) {
  return { runs: sortByStart(runs) };
}

function formatStepStatus({ step, state, seconds, run, reason }: StepStatus): string {
  const parts = [
    state,
    ...(run === undefined ? [] : [formatShare(run), pluralize(run.chunks.done, "chunk")]),
    ...(run !== undefined && run.chunks.failed > 0 ? [`${formatCount(run.chunks.failed)} failed`] : []),
    ...(seconds === undefined ? [] : [formatDuration(seconds)]),
    ...(reason === undefined ? [] : [reason.split("\n")[0]!]),
  ];
  return shortenMiddle(`  ${step}: ${parts.filter((part) => part !== "").join(", ")}`, TERMINAL_COLUMNS);
}

function sortByStart(runs: RunStatus[]): RunStatus[] {
  return [...runs].sort(
    (a, b) => Date.parse(a.started ?? "") - Date.parse(b.started ?? "") || (a.path < b.path ? -1 : 1),
  );
}

/** Returns the completed share in per cent, rounded down, so it is never 100 too early; of an open queue, how many tasks are done. */
function formatShare({ units: { done, total }, queue }: RunStatus): string {
  if (queue === "open") return `${formatCount(BigInt(done))} of ${formatCount(BigInt(total ?? "0"))}`;
  if (total === undefined || total === "0") return "";
  const tenths = Number((BigInt(done) * 1000n) / BigInt(total));
  return `${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)} %`;
}

function formatRow(widest: number, [name = "", ...cells]: string[]): string {
  const rest = cells.map((cell, index) => cell.padEnd(CELL_COLUMNS[index]!));
  return [padToColumns(shortenMiddle(name, widest), widest), ...rest].join("  ").trimEnd();
}

/** Formats a date as `ls` does: "11-24 16:55", or "2025-11-24" where it is long ago. */
function formatDate(date: Date, now: number): string {
  if (Number.isNaN(date.getTime())) return "?";
  const two = (value: number) => String(value).padStart(2, "0");
  const monthAndDay = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const isOld = Math.abs(now - date.getTime()) > SHOW_YEAR_AFTER_DAYS * 86_400_000;
  return isOld
    ? `${date.getFullYear()}-${monthAndDay}`
    : `${monthAndDay} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
