import type { PipelineStep } from "./pipeline.js";

/** Returns why the job of a step is not known before the pipeline runs; undefined where it is, or the step has none. */
export function describeUnknownJob({ action, each }: PipelineStep): string | undefined {
  if (action.kind !== "job" || action.job !== undefined) return undefined;
  if (action.source.kind === "output") return `its job is made by step ${action.source.step}; not known yet`;
  return each?.kind === "lines" ? `its values are made by step ${each.output.step}; not known yet` : undefined;
}
