import { join, relative } from "node:path";
import { inOrder } from "../executor/pipeline/graph.js";
import type { Pipeline, Step } from "../executor/pipeline/pipeline.js";
import { isGood } from "../executor/pipeline/states.js";
import type { PipelineSummary, StepSummary } from "../executor/pipeline/summary.js";
import type { Leftover } from "../executor/run/record/leftovers.js";
import type { Plan } from "../executor/schedule/plan/plan.js";
import { duration, plural, textOf } from "./format.js";
import { leftoverLines } from "./leftovers.js";
import { planText } from "./plan.js";

/** What became of a pipeline, for people. */
export function pipelineText(summary: PipelineSummary, already: boolean): string {
  const { name, steps, seconds } = summary;
  const widest = Math.max(...steps.map(({ step }) => step.length));
  const good = steps.filter(({ state }) => isGood(state)).length;
  const head = already
    ? `${name}: already complete, ${plural(steps.length, "step")}`
    : `${name}: ${stateText(summary)}: ${good} of ${plural(steps.length, "step")} done, ${duration(seconds)}`;
  const where = relative(process.cwd(), summary.directory) || ".";
  const left = steps.flatMap((step) => leftoverLines(unwanted(step), join(where, step.step)));
  return textOf([head, ...steps.flatMap((step) => stepLines(step, widest)), ...left, `in ${where}`]);
}

/** Of the nodes that may hold something of a step, those that do not keep it for the next session. */
function unwanted({ state, run }: StepSummary): Leftover[] {
  const leftovers = run?.leftovers ?? [];
  return state === "complete" ? leftovers : leftovers.filter(({ reason }) => reason !== undefined);
}

/** The same where something is wrong, in a few lines: for a mail. */
export function pipelineTrouble(summary: PipelineSummary): string {
  const wrong = summary.steps.filter(({ state }) => !isGood(state) && state !== "left out");
  const how = summary.state === "partial" ? "partly done" : stateText(summary);
  return textOf([
    `muster: ${summary.name}: ${how}`,
    ...wrong.flatMap((step) => stepLines(step, 0)),
    `see: muster status ${summary.directory}`,
  ]);
}

/** A step as it begins or ends, in one line and those of its reason. */
export function stepText(step: StepSummary): string {
  return textOf(step.state === "running" ? [`${step.step}: begins`] : stepLines(step, 0)).trimStart();
}

/** What would run, in which order. `plans`: of the steps that are jobs. */
export function pipelinePlanText(pipeline: Pipeline, plans: Map<string, Plan>): string {
  const order = inOrder(new Map(pipeline.steps.map((step) => [step.name, step.needs])));
  const lines = order.flatMap((name) => {
    const step = pipeline.steps.find((one) => one.name === name)!;
    const after = step.needs.length === 0 ? "" : `, after ${step.needs.join(" and ")}`;
    const plan = plans.get(name);
    const detail = plan === undefined ? [] : planText(plan).split("\n").slice(0, -1);
    return [`${name}: ${whatText(step)}${after}`, ...detail.map((line) => `    ${line}`)];
  });
  return textOf([`${pipeline.name}: ${plural(pipeline.steps.length, "step")}`, ...lines, "nothing was run"]);
}

function whatText({ work }: Step): string {
  if (work.kind === "job") return `job ${relative(process.cwd(), work.file)}`;
  if (work.kind !== "command") return `${work.kind} ${work.playbooks.join(", ")}`;
  const words = work.words.map((word) => word.map((piece) => (typeof piece === "string" ? piece : `{${piece.name}}`)));
  return `command ${words.map((word) => word.join("")).join(" ")}`;
}

function stepLines({ step, state, seconds, reason, run }: StepSummary, widest: number): string[] {
  const time = seconds === undefined ? "" : `, ${duration(seconds)}`;
  const chunks = run === undefined ? "" : `, ${plural(run.chunks.done, "chunk")}`;
  const [first = "", ...rest] = (reason ?? "").split("\n");
  const why = first === "" ? "" : `: ${first}`;
  return [`  ${`${step}:`.padEnd(widest + 1)} ${state}${chunks}${time}${why}`, ...rest.map((line) => `      ${line}`)];
}

function stateText({ state }: PipelineSummary): string {
  if (state === "interrupted") return "interrupted; the same command goes on from here";
  return state === "partial" ? "partly done; the same command goes on from here" : state;
}
