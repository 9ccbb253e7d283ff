import { type Needs, onwards } from "./graph.js";
import type { Pipeline } from "./pipeline.js";

/** Which steps are meant: all, one and what comes after it, or one alone. */
export type Selection = { kind: "all" } | { kind: "from" | "only"; step: string };

export function needsOf({ steps }: Pipeline): Needs {
  return new Map(steps.map((step) => [step.name, step.needs]));
}

/** The steps that a selection means. */
export function meantBy(selection: Selection, needs: Needs): Set<string> {
  if (selection.kind === "all") return new Set(needs.keys());
  return selection.kind === "only" ? new Set([selection.step]) : onwards(selection.step, needs);
}
