import type { Needs } from "./graph.js";

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

const GOOD: StepState[] = ["complete", "unchanged", "taken over"];
const OPEN: StepState[] = ["waiting", "running"];

/** Whether the results of a step in this state can be used. */
export function isGood(state: StepState): boolean {
  return GOOD.includes(state);
}

/** Whether a step in this state may still become another. */
export function isOpen(state: StepState): boolean {
  return OPEN.includes(state);
}

/** The steps that can begin now. Pure. */
export function ready(needs: Needs, states: ReadonlyMap<string, StepState>): string[] {
  return [...needs].flatMap(([step, needed]) =>
    states.get(step) === "waiting" && needed.every((one) => isGood(states.get(one)!)) ? [step] : [],
  );
}

/** The steps that can no longer begin, because one that they need, directly or by others, ended otherwise than well. Pure. */
export function stuck(needs: Needs, states: ReadonlyMap<string, StepState>): string[] {
  const found = new Set<string>();
  const hopeless = (step: string) => found.has(step) || (!isGood(states.get(step)!) && !isOpen(states.get(step)!));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const [step, needed] of needs) if (states.get(step) === "waiting" && needed.some(hopeless)) found.add(step);
  }
  return [...found];
}
