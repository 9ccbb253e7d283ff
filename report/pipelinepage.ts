import { relative } from "node:path";
import type { PipelineHistory, StepExecution } from "../executor/pipeline/pipelinehistory.js";
import { hasResults } from "../executor/pipeline/stepstate.js";
import { COMMAND_LOG } from "../executor/run/record/logfiles.js";
import { formatLocalTime } from "../schemas/localtime.js";
import { formatCount, formatDuration, pluralize } from "./format.js";
import { describeRunHead } from "./historytext.js";
import { renderDocument, renderKey } from "./page/document.js";
import { type Html, html, renderTable } from "./page/html.js";
import { listBreaks, renderJobSections } from "./page/jobsections.js";
import type { Lane } from "./page/lanes.js";
import { addStep, renderLogLink } from "./page/loglinks.js";
import type { SpanKind } from "./page/spans.js";
import { renderTimeline } from "./page/timeline.js";

/** Further jobs that are left out are only counted. */
const MAX_LISTED_JOBS = 100;

/**
 * Renders the report of a run of a pipeline as a self-contained HTML page: its steps over time, and what their jobs did. `logs`: the address
 * of the folder with the logs, which has a folder for each step, relative to the page; without it, there are no links. Pure.
 */
export function renderPipelinePage(history: PipelineHistory, logs?: string): string {
  const { status, seconds, sessions } = history;
  const { name, state, chunks, units, started, reason } = status;
  const failed = chunks.failed === 0 ? "" : `, ${formatCount(chunks.failed)} failed`;
  const title = `${name}: ${state}: ${formatCount(chunks.done)} of ${formatCount(BigInt(units.total ?? "0"))} steps done${failed}`;
  const begun = started === undefined ? "" : `, started ${formatLocalTime(new Date(started), "seconds")}`;
  const more = sessions.length < 2 ? "" : ` in ${pluralize(sessions.length, "session")}`;
  const facts = [`active for ${formatDuration(seconds)}${more}${begun}`, ...(reason === undefined ? [] : [reason])];
  return renderDocument(title, facts, [
    html`<h2>Steps over time</h2>`,
    renderKey(KEY),
    renderTimeline(buildStepLanes(history), seconds, listBreaks(sessions)),
    html`<h2>Steps</h2>`,
    ...renderSteps(history, logs),
    ...renderJobs(history, logs),
  ]);
}

const KEY: [SpanKind | "break", string][] = [
  ["ran", "done"],
  ["retried", "done as far as required"],
  ["failed", "failed, partly done, or drift"],
  ["running", "not ended"],
  ["break", "a new session"],
];

/** Returns a lane for each step and repetition that has begun, in the order of the file. */
function buildStepLanes({ status, executions }: PipelineHistory): Lane[] {
  const lanes = new Map<string, Lane>();
  for (const { step } of status.steps ?? []) lanes.set(step, { group: step.split("/")[0]!, name: step, spans: [] });
  for (const execution of executions) {
    const { step, state, from, to, reason } = execution;
    const why = reason === undefined ? "" : `: ${reason}`;
    const title = `${step}: ${state}, ${formatDuration(to - from)}${why}`;
    lanes.get(step)?.spans.push({ from, to, what: chooseKind(execution), title });
  }
  return [...lanes.values()].filter(({ spans }) => spans.length > 0);
}

function chooseKind({ state }: StepExecution): SpanKind {
  if (state === "running" || state === "interrupted") return "running";
  if (state === "enough") return "retried";
  return hasResults(state) ? "ran" : "failed";
}

/** Renders a table of the steps, and below it why some have no results: reasons are too long for a column of a narrow page. */
function renderSteps({ status, executions, commands }: PipelineHistory, logs: string | undefined): Html[] {
  const lastRuns = new Map(executions.map((one) => [one.step, one]));
  const steps = status.steps ?? [];
  const rows = steps.map(({ step, state, seconds, run }) => {
    const began = lastRuns.get(step)?.from;
    return [
      commands.includes(step) ? renderLogLink(addStep(logs, step), COMMAND_LOG, step) : step,
      state,
      began === undefined ? "" : formatDuration(began),
      seconds === undefined ? "" : formatDuration(seconds),
      run === undefined ? "" : formatChunks(run.chunks),
    ];
  });
  const table = renderTable("words", ["step", "state", "began after", "took", "chunks"], rows);
  const reasons = steps.flatMap(({ step, reason }) => (reason === undefined ? [] : [html`<p>${step}: ${reason}</p>`]));
  return [table, ...reasons];
}

function formatChunks({ done, failed }: { done: number; failed: number }): string {
  return `${formatCount(done)}${failed === 0 ? "" : `, ${formatCount(failed)} failed`}`;
}

/** Renders what the jobs did, folded, and names the commands that report on those that are left out. */
function renderJobs({ jobs, omittedJobs }: PipelineHistory, logs: string | undefined): Html[] {
  if (jobs.length + omittedJobs.length === 0) return [];
  const sections = jobs.map(({ step, history }) => {
    const { title, facts } = describeRunHead(history);
    return html`<details><summary>${step}: ${title}</summary>
${facts.map((fact) => html`<p>${fact}</p>`)}
${renderJobSections(history, addStep(logs, step))}
</details>`;
  });
  const listed = omittedJobs.slice(0, MAX_LISTED_JOBS).map(({ step, path, reason }) => {
    const command = `muster report ${relative(process.cwd(), path) || "."}`;
    return html`<p>${step}: ${reason ?? command}</p>`;
  });
  const rest = omittedJobs.length - listed.length;
  return [html`<h2>Jobs</h2>`, ...sections, ...listed, ...(rest === 0 ? [] : [html`<p>and ${rest} more</p>`])];
}
