import t from "tap";
import { listChunkAttempts } from "../../../../executor/run/record/chunkattempts.js";
import type { RunHistory } from "../../../../executor/run/record/runhistory.js";

const PLACE = { chunk: "a", node: "n", slot: 0 };

/** A running run in which the chunk `a` runs as attempt 2, as the last look at it has shown. */
function createHistory(known: Partial<RunHistory>): RunHistory {
  const running = { chunk: "a", attempt: 2, since: "2026-01-01T00:00:00.000Z" };
  const status = { state: "running", live: { slots: [{ node: "n", slot: 0, running }] } };
  const none = { sessions: [], executions: [], failedAttempts: [], stoppedAttempts: [] };
  return { ...none, status, ...known } as unknown as RunHistory;
}

t.test("what has ended since the last look does not run", async (t) => {
  const table: [what: string, known: object, states: string[]][] = [
    ["it runs", {}, ["running"]],
    ["it is done", { executions: [{ ...PLACE, attempt: 2 }] }, ["done"]],
    ["the attempt before it is done", { executions: [{ ...PLACE, attempt: 1 }] }, ["done", "running"]],
    [
      "it was preempted, and continues",
      { stoppedAttempts: [{ ...PLACE, attempt: 2, why: "preempted" }] },
      ["stopped", "running"],
    ],
  ];
  for (const [what, known, states] of table)
    t.same(
      listChunkAttempts(createHistory(known), (chunk) => chunk === "a")
        .map(({ state }) => state)
        .sort(),
      [...states].sort(),
      what,
    );
});
