import { resolve } from "node:path";
import { type StepDependencies, withDependencies } from "./dependencies.js";
import type { StepAction } from "./pipeline.js";

/** Returns the folders in which the jobs of the steps that a step needs, directly or not, publish results beside the pipeline. */
export function listPublishedFolders(
  step: string,
  needs: StepDependencies,
  actions: ReadonlyMap<string, StepAction>,
): string[] {
  return [...withDependencies(step, needs)].flatMap((needed) => {
    const action = actions.get(needed);
    if (needed === step || action?.kind !== "job") return [];
    if (action.job !== undefined) return action.job.results === undefined ? [] : [action.job.results.folder];
    // A job that a step makes may name any folder itself.
    const { folder = "", set } = action;
    return [resolve(folder, set.results ?? ".")];
  });
}
