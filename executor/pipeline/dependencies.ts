import type { Pipeline } from "./pipeline.js";

/** Who needs whom: step -> the steps that must be complete before it. */
export type StepDependencies = ReadonlyMap<string, readonly string[]>;

/** Steps that need one another in a circle, the first one again at the end; undefined where there is no circle. */
export function findDependencyCycle(needs: StepDependencies): string[] | undefined {
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (step: string): string[] | undefined => {
    if (done.has(step)) return undefined;
    if (way.includes(step)) return [...way.slice(way.indexOf(step)), step];
    way.push(step);
    for (const needed of needs.get(step) ?? []) {
      const found = visit(needed);
      if (found !== undefined) return found;
    }
    way.pop();
    done.add(step);
    return undefined;
  };
  for (const step of needs.keys()) {
    const found = visit(step);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `step` and every step that comes after it, directly or by others. */
export function withDependents(step: string, needs: StepDependencies): Set<string> {
  const found = new Set([step]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [other, needed] of needs) if (needed.some((one) => found.has(one))) found.add(other);
  }
  return found;
}

/** The steps in an order in which each comes after those that it needs; else in the order of `needs`, which has no circle. */
export function sortTopologically(needs: StepDependencies): string[] {
  const order = new Set<string>();
  const visit = (step: string) => {
    for (const needed of needs.get(step) ?? []) if (!order.has(needed)) visit(needed);
    order.add(step);
  };
  for (const step of needs.keys()) visit(step);
  return [...order];
}

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
