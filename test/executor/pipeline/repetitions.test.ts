import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type { StepSummary } from "../../../executor/pipeline/pipelinesummary.js";
import { combineRepetitions, runConcurrently } from "../../../executor/pipeline/repetitions.js";
import type { StepState } from "../../../executor/pipeline/stepstate.js";

t.test("the outcome of a step follows from its repetitions", async (t) => {
  const of = (state: StepState, exit?: number): StepSummary => ({
    step: "fit/a",
    kind: "job",
    state,
    exit,
    reason: "why",
  });
  const table: [StepSummary[], object][] = [
    [[], { state: "complete", exit: undefined }],
    [[of("complete"), of("unchanged")], { state: "complete", exit: undefined }],
    [
      [of("complete"), of("enough", 3)],
      { state: "enough", exit: 3, reason: /^1 of 2 repetitions are incomplete\nfit\/a: why$/ },
    ],
    [
      [of("enough", 3), of("failed", 69)],
      { state: "failed", exit: 69, reason: /^1 of 2 repetitions have no results\nfit/ },
    ],
    [[of("failed", 65), of("partial", 3)], { state: "failed", exit: 3 }],
    [[of("failed", 3), of("waiting")], { state: "interrupted", exit: 130 }],
    [[of("complete"), of("interrupted", 130)], { state: "interrupted", exit: 130 }],
    [Array.from({ length: 8 }, () => of("failed", 3)), { state: "failed", reason: /^8 of 8(.*\n){6}and 3 more$/ }],
  ];
  for (const [repetitions, wanted] of table) {
    const outcome = combineRepetitions(repetitions);
    t.match({ exit: undefined, ...outcome }, wanted, repetitions.map(({ state }) => state).join());
    t.equal(outcome.repetitions, repetitions);
  }
  const run = (done: number, failed: number) => ({ ...of("complete"), run: { chunks: { done, failed }, nodes: [] } });
  t.match(combineRepetitions([run(3, 0), run(4, 1), of("unchanged")]).run, { chunks: { done: 7, failed: 1 } });
});

t.test(
  "at most so many run at once, all end before an error is reported, and nothing begins after a stop",
  async (t) => {
    const items = [...Array(10).keys()];
    let [running, most, ended, isStopped] = [0, 0, 0, false];
    const work = async (item: number) => {
      running++;
      most = Math.max(most, running);
      await sleep(5);
      running--;
      ended++;
      if (item === 2) throw new Error("two");
      if (item === 5) isStopped = true;
    };
    await t.rejects(
      runConcurrently(items, 4, () => isStopped, work),
      { message: "two" },
    );
    t.match({ running, most }, { running: 0, most: 4 });
    t.ok(ended >= 6 && ended < 10, `${ended} of 10 began before the stop`);
    ended = 0;
    await runConcurrently([7, 8, 9], 4, () => false, work);
    t.equal(ended, 3);
  },
);
