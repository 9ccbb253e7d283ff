import t from "tap";
import { AskTeller } from "../../../../executor/run/ask/askteller.js";
import { Outcomes } from "../../../../executor/run/ask/outcomes.js";
import type { Coordinator } from "../../../../executor/run/coordinator.js";

interface Running {
  id: string;
  chunk: string;
  isRecheck?: boolean;
}

/** A run whose attempts in flight and values can be set. */
function createTeller(path: string) {
  let running: Running[] = [];
  const values = new Map<string, [number, number][]>();
  const coordinator = {
    counters: { job: { first: 0n, params: {}, unitsOf: () => undefined } },
    scheduler: {
      view: {
        inFlight: () =>
          running.map(({ id, chunk, isRecheck }) => ({
            attempt: { id, chunk: { id: chunk, ...(isRecheck ? { firstResult: { node: "a", slot: 0 } } : {}) } },
          })),
      },
      attempt: (id: string) => running.find((one) => one.id === id),
    },
    values: { find: (id: string) => values.get(id) ?? [] },
  } as unknown as Coordinator;
  const outcomes = Outcomes.open(path, 0);
  const teller = new AskTeller(coordinator, outcomes, undefined);
  return {
    outcomes,
    setRunning: (attempts: Running[]) => {
      running = attempts;
    },
    report: (id: string, ...steps: number[]) => {
      values.set(id, [...(values.get(id) ?? []), ...steps.map((step): [number, number] => [step, step * 10])]);
    },
    tellAll: () => {
      const told: unknown[] = [];
      for (let line = teller.next(false); line !== undefined; line = teller.next(false)) told.push(JSON.parse(line));
      return told;
    },
  };
}

t.test("each step of a chunk is told once, whichever attempt reports it", async (t) => {
  const run = createTeller(t.testdir({ "results.ndjson": "", "journal.ndjson": "" }));
  t.teardown(() => run.outcomes.close());
  run.setRunning([{ id: "1", chunk: "c" }]);
  run.report("1", 1, 2);
  t.same(run.tellAll(), [
    { id: "c", step: 1, value: 10 },
    { id: "c", step: 2, value: 20 },
  ]);
  run.setRunning([]);
  t.same(run.tellAll(), []);
  run.setRunning([
    { id: "2", chunk: "c" },
    { id: "3", chunk: "c" },
  ]);
  run.report("2", 1, 2, 3);
  run.report("3", 1, 2, 3, 4);
  t.same(run.tellAll(), [
    { id: "c", step: 3, value: 30 },
    { id: "c", step: 4, value: 40 },
  ]);
});

t.test("what a recheck reports is not told", async (t) => {
  const run = createTeller(t.testdir({ "results.ndjson": "", "journal.ndjson": "" }));
  t.teardown(() => run.outcomes.close());
  run.setRunning([{ id: "1", chunk: "c", isRecheck: true }]);
  run.report("1", 1);
  t.same(run.tellAll(), []);
});
