import { join, relative } from "node:path";
import { sortTopologically } from "../executor/pipeline/dependencies.js";
import type { Pipeline, PipelineStep } from "../executor/pipeline/pipeline.js";
import type { PipelineSummary, StepSummary } from "../executor/pipeline/pipelinesummary.js";
import { hasResults } from "../executor/pipeline/stepstate.js";
import type { Leftover } from "../executor/run/record/leftovers.js";
import type { RunPlan } from "../executor/schedule/plan/planjob.js";
import { formatDuration, pluralize, toPrintableText } from "./format.js";
import { formatLeftovers } from "./leftovertext.js";
import { formatPlan } from "./plantext.js";

/** Formats the result of a run of a pipeline. */
export function formatPipelineSummary(summary: PipelineSummary, already: boolean): string {
  const { name, steps, seconds } = summary;
  const widest = Math.max(...steps.map(({ step }) => step.length));
  const good = steps.filter(({ state }) => hasResults(state)).length;
  const head = already
    ? `${name}: already complete, ${pluralize(steps.length, "step")}`
    : `${name}: ${formatState(summary)}: ${good} of ${pluralize(steps.length, "step")} done, ${formatDuration(seconds)}`;
  const where = relative(process.cwd(), summary.directory) || ".";
  const left = steps.flatMap((step) => formatLeftovers(selectUnintendedLeftovers(step), join(where, step.step)));
  return toPrintableText([head, ...steps.flatMap((step) => formatStepLines(step, widest)), ...left, `in ${where}`]);
}

/** Returns the leftovers that are not kept on purpose for the next session. */
function selectUnintendedLeftovers({ state, run }: StepSummary): Leftover[] {
  const leftovers = run?.leftovers ?? [];
  return state === "complete" ? leftovers : leftovers.filter(({ reason }) => reason !== undefined);
}

/** Formats a failure in a few lines, for a mail from cron. */
export function formatPipelineFailure(summary: PipelineSummary): string {
  const failed = summary.steps.filter(({ state }) => !hasResults(state) && state !== "left out");
  const state = summary.state === "partial" ? "partly done" : formatState(summary);
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

/** Formats what would run and in which order. `plans` has the plans of steps that are jobs. */
export function formatPipelinePlan(pipeline: Pipeline, plans: Map<string, RunPlan>): string {
  const order = sortTopologically(new Map(pipeline.steps.map((step) => [step.name, step.needs])));
  const lines = order.flatMap((name) => {
    const step = pipeline.steps.find((one) => one.name === name)!;
    const after = step.needs.length === 0 ? "" : `, after ${step.needs.join(" and ")}`;
    const plan = plans.get(name);
    const detail = plan === undefined ? [] : formatPlan(plan).split("\n").slice(0, -1);
    return [`${name}: ${formatAction(step)}${after}`, ...detail.map((line) => `    ${line}`)];
  });
  return toPrintableText([
    `${pipeline.name}: ${pluralize(pipeline.steps.length, "step")}`,
    ...lines,
    "nothing was run",
  ]);
}

function formatAction({ action: work }: PipelineStep): string {
  if (work.kind === "job") return `job ${relative(process.cwd(), work.file)}`;
  if (work.kind !== "command") return `${work.kind} ${work.playbooks.join(", ")}`;
  const words = work.argv.map((word) => word.map((piece) => (typeof piece === "string" ? piece : `{${piece.name}}`)));
  return `command ${words.map((word) => word.join("")).join(" ")}`;
}

function formatStepLines({ step, state, seconds, reason, run }: StepSummary, widest: number): string[] {
  const time = seconds === undefined ? "" : `, ${formatDuration(seconds)}`;
  const chunks = run === undefined ? "" : `, ${pluralize(run.chunks.done, "chunk")}`;
  const [first = "", ...rest] = (reason ?? "").split("\n");
  const why = first === "" ? "" : `: ${first}`;
  return [`  ${`${step}:`.padEnd(widest + 1)} ${state}${chunks}${time}${why}`, ...rest.map((line) => `      ${line}`)];
}

function formatState({ state }: PipelineSummary): string {
  if (state === "interrupted") return "interrupted; run the same command again to resume";
  return state === "partial" ? "partly done; run the same command again to resume" : state;
}
