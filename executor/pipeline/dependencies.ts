import type { Pipeline } from "./pipeline.js";

/** Maps each step to the steps that must be complete before it. */
export type StepDependencies = ReadonlyMap<string, readonly string[]>;

/** Returns the steps of a dependency cycle, with the first one repeated at the end; undefined where there is none. Depth-first search. */
export function findDependencyCycle(needs: StepDependencies): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (step: string): string[] | undefined => {
    if (done.has(step)) return undefined;
    if (path.includes(step)) return [...path.slice(path.indexOf(step)), step];
    path.push(step);
    for (const needed of needs.get(step) ?? []) {
      const found = visit(needed);
      if (found !== undefined) return found;
    }
    path.pop();
    done.add(step);
    return undefined;
  };
  for (const step of needs.keys()) {
    const found = visit(step);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Returns `step` and all of its direct and indirect dependents. */
export function withDependents(step: string, needs: StepDependencies): Set<string> {
  const found = new Set([step]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [other, needed] of needs) if (needed.some((one) => found.has(one))) found.add(other);
  }
  return found;
}

/** Returns `step` and all of its direct and indirect dependencies. */
export function withDependencies(step: string, needs: StepDependencies): Set<string> {
  const found = new Set([step]);
  for (const one of found) for (const needed of needs.get(one) ?? []) found.add(needed);
  return found;
}

/** Returns the steps in topological order, otherwise in the order of `needs`. In a cycle, any order is returned. */
export function sortTopologically(needs: StepDependencies): string[] {
  const order = new Set<string>();
  const begun = new Set<string>();
  const visit = (step: string) => {
    if (begun.has(step)) return;
    begun.add(step);
    for (const needed of needs.get(step) ?? []) visit(needed);
    order.add(step);
  };
  for (const step of needs.keys()) visit(step);
  return [...order];
}

/** The selected steps: all, one with its dependents, or one alone. */
export type StepSelection = { kind: "all" } | { kind: "from" | "only"; step: string };

/** Returns the dependencies of the steps of a pipeline. */
export function dependenciesOf({ steps }: Pipeline): StepDependencies {
  return new Map(steps.map((step) => [step.name, step.needs]));
}

/** Returns the names of the selected steps. */
export function selectSteps(selection: StepSelection, needs: StepDependencies): Set<string> {
  if (selection.kind === "all") return new Set(needs.keys());
  return selection.kind === "only" ? new Set([selection.step]) : withDependents(selection.step, needs);
}
