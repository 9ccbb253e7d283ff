import type { StepDependencies } from "./dependencies.js";

/**
 * The state of a step. `complete`: it has produced its results; `enough`: as many of them as it requires, the rest failed. `unchanged` and
 * `taken over`: it has the results of an earlier run. `blocked`: a step that it needs has no results. `left out`: it is not selected.
 */
export type StepState =
  | "waiting"
  | "running"
  | "complete"
  | "enough"
  | "unchanged"
  | "taken over"
  | "partial"
  | "drift"
  | "failed"
  | "interrupted"
  | "blocked"
  | "left out";

const STATES_WITH_RESULTS: StepState[] = ["complete", "enough", "unchanged", "taken over"];
const UNFINISHED_STATES: StepState[] = ["waiting", "running"];

/** Returns whether the results of a step in this state can be used. */
export function hasResults(state: StepState): boolean {
  return STATES_WITH_RESULTS.includes(state);
}

/** Returns whether a step in this state lacks results: all of them, or the part that it does not require. */
export function isIncomplete(state: StepState): boolean {
  return state === "enough" || !hasResults(state);
}

/** Returns whether a step in this state has not ended yet. */
export function isUnfinished(state: StepState): boolean {
  return UNFINISHED_STATES.includes(state);
}

/** Returns the steps that can start now. Pure. */
export function findReadySteps(needs: StepDependencies, states: ReadonlyMap<string, StepState>): string[] {
  return [...needs].flatMap(([step, needed]) =>
    states.get(step) === "waiting" && needed.every((one) => hasResults(states.get(one)!)) ? [step] : [],
  );
}

/** Returns the waiting steps that can never start, because a direct or indirect dependency ended without results. Pure. */
export function findBlockedSteps(needs: StepDependencies, states: ReadonlyMap<string, StepState>): string[] {
  const found = new Set<string>();
  const isHopeless = (step: string) =>
    found.has(step) || (!hasResults(states.get(step)!) && !isUnfinished(states.get(step)!));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const [step, needed] of needs) if (states.get(step) === "waiting" && needed.some(isHopeless)) found.add(step);
  }
  return [...found];
}
