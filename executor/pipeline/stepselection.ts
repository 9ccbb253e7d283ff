import { type StepDependencies, withDependents } from "./dependencies.js";
import type { Pipeline } from "./pipeline.js";

/** Which steps are meant: all, one and what comes after it, or one alone. */
export type StepSelection = { kind: "all" } | { kind: "from" | "only"; step: string };

export function dependenciesOf({ steps }: Pipeline): StepDependencies {
  return new Map(steps.map((step) => [step.name, step.needs]));
}

/** The steps that a selection means. */
export function selectSteps(selection: StepSelection, needs: StepDependencies): Set<string> {
  if (selection.kind === "all") return new Set(needs.keys());
  return selection.kind === "only" ? new Set([selection.step]) : withDependents(selection.step, needs);
}
