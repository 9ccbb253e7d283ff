import { join, relative } from "node:path";
import type { PipelineSummary, StepSummary } from "../executor/pipeline/pipelinesummary.js";
import { hasResults, isIncomplete } from "../executor/pipeline/stepstate.js";
import type { Leftover } from "../executor/run/record/leftovers.js";
import { formatDuration, pluralize, toPrintableText } from "./format.js";
import { formatLeftovers } from "./leftovertext.js";
import { formatResume, hasOnlyFailures } from "./summarytext.js";

/** Formats the result of a run of a pipeline. `isFresh`: whether `--fresh` created it. */
export function formatPipelineSummary(summary: PipelineSummary, already: boolean, isFresh = false): string {
  const { name, steps, seconds } = summary;
  const widest = Math.max(...steps.map(({ step }) => step.length));
  const good = steps.filter(({ state }) => hasResults(state)).length;
  const where = relative(process.cwd(), summary.directory) || ".";
  const head = already
    ? `${name}: already ${summary.state === "complete" ? "complete" : DONE_IN_PART}, ${pluralize(steps.length, "step")}`
    : `${name}: ${formatState(summary, formatResume(where, isFresh))}: ${good} of ${pluralize(steps.length, "step")} done, ${formatDuration(seconds)}`;
  const parts = steps.flatMap((step) => [step, ...(step.repetitions ?? [])]);
  const left = parts.flatMap((step) => formatLeftovers(selectUnintendedLeftovers(step), join(where, step.step)));
  return toPrintableText([head, ...steps.flatMap((step) => formatStepLines(step, widest)), ...left, `in ${where}`]);
}

/** Returns the leftovers that are not kept on purpose for the next session. */
function selectUnintendedLeftovers({ state, run }: StepSummary): Leftover[] {
  const leftovers = run?.leftovers ?? [];
  return state === "complete" ? leftovers : leftovers.filter(({ reason }) => reason !== undefined);
}

/** Formats a failure in a few lines, for a mail from cron. */
export function formatPipelineFailure(summary: PipelineSummary): string {
  const failed = summary.steps.filter(({ state }) => isIncomplete(state) && state !== "left out");
  const state = summary.state === "partial" ? formatPartial(summary) : formatState(summary, formatResume("", false));
  return toPrintableText([
    `muster: ${summary.name}: ${state}`,
    ...failed.flatMap((step) => formatStepLines(step, 0)),
    `see: muster status ${summary.directory}`,
  ]);
}

/** Formats the start or the end of a step, with the lines of its reason. */
export function formatStep(step: StepSummary): string {
  return toPrintableText(step.state === "running" ? [`${step.step}: started`] : formatStepLines(step, 0)).trimStart();
}

function formatStepLines(step: StepSummary, widest: number): string[] {
  const { state, seconds, reason, run } = step;
  const time = seconds === undefined ? "" : `, ${formatDuration(seconds)}`;
  const hasFailed = hasNoChunk(step);
  const chunks = run === undefined || hasFailed ? "" : `, ${pluralize(run.chunks.done, "chunk")}`;
  const [first = "", ...rest] = (reason ?? "").split("\n");
  const why = first === "" ? "" : `: ${first}`;
  return [
    `  ${`${step.step}:`.padEnd(widest + 1)} ${hasFailed ? "failed" : state}${chunks}${time}${why}`,
    ...rest.map((line) => `      ${line}`),
  ];
}

/** Every step has results, but some chunks failed, and running the same command again does not try them again. */
const DONE_IN_PART = "partly done, which is enough";

function formatState({ state, steps }: PipelineSummary, resume: string): string {
  if (state === "partial" && steps.every((step) => hasResults(step.state) || step.state === "left out"))
    return DONE_IN_PART;
  if (state === "interrupted") return `interrupted; ${resume}`;
  return state === "partial" ? `${formatPartial({ steps })}; ${resume}` : state;
}

function formatPartial({ steps }: Pick<PipelineSummary, "steps">): string {
  return steps.some((step) => hasResults(step.state) || (step.state === "partial" && !hasNoChunk(step)))
    ? "partly done"
    : "failed";
}

/** Whether all chunks of a step's job failed. */
function hasNoChunk({ state, run }: StepSummary): boolean {
  return run !== undefined && hasOnlyFailures({ state, chunks: run.chunks });
}
