import type { StepDependencies } from "./dependencies.js";

/**
 * What became of a step. `complete`: its results are there; `unchanged` and `taken over`: those of an earlier run are; `blocked`:
 * a step that it needs is not complete; `left out`: nobody asked for it.
 */
export type StepState =
  | "waiting"
  | "running"
  | "complete"
  | "unchanged"
  | "taken over"
  | "partial"
  | "drift"
  | "failed"
  | "interrupted"
  | "blocked"
  | "left out";

const STATES_WITH_RESULTS: StepState[] = ["complete", "unchanged", "taken over"];
const UNFINISHED_STATES: StepState[] = ["waiting", "running"];

/** Whether the results of a step in this state can be used. */
export function hasResults(state: StepState): boolean {
  return STATES_WITH_RESULTS.includes(state);
}

/** Whether a step in this state may still become another. */
export function isUnfinished(state: StepState): boolean {
  return UNFINISHED_STATES.includes(state);
}

/** The steps that can begin now. Pure. */
export function findReadySteps(needs: StepDependencies, states: ReadonlyMap<string, StepState>): string[] {
  return [...needs].flatMap(([step, needed]) =>
    states.get(step) === "waiting" && needed.every((one) => hasResults(states.get(one)!)) ? [step] : [],
  );
}

/** The steps that can no longer begin, because one that they need, directly or by others, ended otherwise than well. Pure. */
export function findBlockedSteps(needs: StepDependencies, states: ReadonlyMap<string, StepState>): string[] {
  const found = new Set<string>();
  const hopeless = (step: string) =>
    found.has(step) || (!hasResults(states.get(step)!) && !isUnfinished(states.get(step)!));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const [step, needed] of needs) if (states.get(step) === "waiting" && needed.some(hopeless)) found.add(step);
  }
  return [...found];
}
