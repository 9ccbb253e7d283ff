import { relative } from "node:path";
import { sortTopologically } from "../executor/pipeline/dependencies.js";
import type { FileReference, Pipeline, PipelineStep } from "../executor/pipeline/pipeline.js";
import { describeUnknownJob } from "../executor/pipeline/unknownjob.js";
import type { ClusterPlan } from "../executor/run/pilots/plancluster.js";
import type { RunPlan } from "../executor/schedule/plan/planjob.js";
import { pluralize, toPrintableText } from "./format.js";
import { formatPlan } from "./plantext.js";

/** The most values of a step that are listed. */
const MAX_NAMED_VALUES = 5;

/** The plan of a step's job. */
interface StepPlan {
  plan: RunPlan;
  clusters: ClusterPlan[];
}

/** Formats what would run and in which order. `plans` has those of steps whose jobs are known. */
export function formatPipelinePlan(pipeline: Pipeline, plans: ReadonlyMap<string, StepPlan>): string {
  const order = sortTopologically(new Map(pipeline.steps.map((step) => [step.name, step.needs])));
  const lines = order.flatMap((name) => {
    const step = pipeline.steps.find((one) => one.name === name)!;
    const after = step.needs.length === 0 ? "" : `, after ${step.needs.join(" and ")}`;
    const detail = formatDetail(step, plans.get(name)).map((line) => `    ${line}`);
    return [`${name}: ${formatAction(step)}${formatEach(step)}${after}`, ...detail];
  });
  return toPrintableText([
    `${pipeline.name}: ${pluralize(pipeline.steps.length, "step")}`,
    ...lines,
    "nothing was run",
  ]);
}

function formatDetail(step: PipelineStep, planned: StepPlan | undefined): string[] {
  const unknown = planned === undefined ? describeUnknownJob(step) : undefined;
  if (planned === undefined) return unknown === undefined ? [] : [unknown];
  const lines = formatPlan(planned.plan, planned.clusters).split("\n").slice(0, -1);
  return step.each === undefined ? lines : ["with the first value:", ...lines];
}

function formatAction({ action: work }: PipelineStep): string {
  if (work.kind === "job") return `job ${formatReference(work.source)}`;
  if (work.kind !== "command") return `${work.kind} ${work.playbooks.join(", ")}`;
  const words = work.argv.map((word) => word.map((piece) => (typeof piece === "string" ? piece : `{${piece.name}}`)));
  return `command ${words.map((word) => word.join("")).join(" ")}`;
}

function formatReference(source: FileReference): string {
  return source.kind === "file" ? relative(process.cwd(), source.path) : `${source.step}/${source.file}`;
}

function formatEach({ each }: PipelineStep): string {
  if (each === undefined) return "";
  if (each.kind === "lines") return `, for each line of ${each.output.step}/${each.output.file}`;
  const named = each.values.slice(0, MAX_NAMED_VALUES).join(", ");
  const more = each.values.length > MAX_NAMED_VALUES ? ` and ${each.values.length - MAX_NAMED_VALUES} more` : "";
  return `, for each of ${named}${more}`;
}
