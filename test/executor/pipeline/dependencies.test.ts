import fc from "fast-check";
import t from "tap";
import {
  findDependencyCycle,
  sortTopologically,
  withDependencies,
  withDependents,
} from "../../../executor/pipeline/dependencies.js";
import {
  findBlockedSteps,
  findReadySteps,
  hasResults,
  isUnfinished,
  type StepState,
} from "../../../executor/pipeline/stepstate.js";

const needs = (arrows: Record<string, string[]>) => new Map(Object.entries(arrows));

t.test("a dependency cycle is found anywhere, and listed in order", async (t) => {
  t.equal(findDependencyCycle(needs({ a: [], b: ["a"], c: ["a", "b"] })), undefined);
  t.same(findDependencyCycle(needs({ a: ["a"] })), ["a", "a"]);
  t.same(findDependencyCycle(needs({ start: [], a: ["start", "c"], b: ["a"], c: ["b"] })), ["a", "c", "b", "a"]);
});

t.test("the dependents of a step are found, and steps are sorted topologically", async (t) => {
  const arrows = needs({ d: ["c"], a: [], b: ["a"], c: ["b"], e: ["a"], f: [] });
  t.same([...withDependents("b", arrows)].sort(), ["b", "c", "d"]);
  t.same([...withDependents("f", arrows)], ["f"]);
  t.same(sortTopologically(arrows), ["a", "b", "c", "d", "e", "f"]);
  const circle = new Map(Object.entries({ a: ["b"], b: ["c"], c: ["b"], d: ["d"] }));
  t.same([...sortTopologically(circle)].sort(), ["a", "b", "c", "d"], "a cycle ends, too");
  t.same([...withDependencies("a", circle)], ["a", "b", "c"]);
  t.same([...withDependencies("d", circle)], ["d"]);
});

/** Any acyclic graph: a step needs some of the steps before it. */
const graph = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 12 })
  .map(
    (rows) => new Map(rows.map((row, at) => [`s${at}`, at === 0 ? [] : [...new Set(row.map((n) => `s${n % at}`))]])),
  );
const ENDS: StepState[] = ["complete", "unchanged", "failed", "drift", "partial"];

t.test(
  "in any order of ends: every step ends after its dependencies, or is blocked by one without results",
  async (t) => {
    fc.assert(
      fc.property(graph, fc.infiniteStream(fc.nat()), (arrows, choices) => {
        const choose = (n: number) => (choices.next().value as number) % n;
        const states = new Map<string, StepState>([...arrows.keys()].map((step) => [step, "waiting"]));
        for (;;) {
          for (const step of findBlockedSteps(arrows, states)) {
            if (arrows.get(step)!.every((one) => hasResults(states.get(one)!))) return false;
            states.set(step, "blocked");
          }
          for (const step of findReadySteps(arrows, states)) {
            if (!arrows.get(step)!.every((one) => hasResults(states.get(one)!))) return false;
            states.set(step, "running");
          }
          const running = [...states].filter(([, state]) => state === "running").map(([step]) => step);
          if (running.length === 0) break;
          states.set(running[choose(running.length)]!, ENDS[choose(ENDS.length)]!);
        }
        return [...states.values()].every((state) => !isUnfinished(state));
      }),
    );
    t.pass("no counterexample");
  },
);
