import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { openRun, rangeJob, slots, startedAttempts, taskJob } from "../schedulefixture.js";

t.test(
  "durations are unknown before the first chunk of a slot has ended, a rate of the inventory or not",
  async (t) => {
    const job = rangeJob(1000n, { sizing: { by: "rate", base: 100, min: 100, max: 100 } });
    const scheduler = new Scheduler(job, sequentialIds());
    const { view } = scheduler;
    const [first, second] = openRun(scheduler, [["a", 2, 29000]]);
    t.same(
      [...view.inFlight()].map((one) => view.expectedSeconds(one)),
      [undefined, undefined],
    );
    t.equal(view.secondsPerUnit(), undefined);
    t.equal([...view.slots()].length, 2);

    const out = scheduler.handle({ type: "finished", attempt: first!.id, seconds: 10 }, 10);
    const [next] = startedAttempts(out);
    const expected = (id: string) => view.expectedSeconds([...view.inFlight()].find((one) => one.attempt.id === id)!);
    t.equal(expected(next!.id), 10, "as long as the chunk before");
    t.equal(expected(second!.id), undefined, "the other slot has shown nothing yet");
    t.equal(view.secondsPerUnit(), 0.05, "two slots as fast as that one: 20 units a second");
  },
);

t.test("tasks are expected to take as long as their like, or as the job says", async (t) => {
  const spec = rangeJob(1n).chunk(0n, 1n).spec;
  const chunk = (start: bigint, end: bigint) => ({
    id: `t${start}`,
    start,
    end,
    spec,
    ...(start === 0n ? { expectedSeconds: 40 } : {}),
  });
  const scheduler = new Scheduler(rangeJob(6n, { kind: "tasks", sizing: undefined, chunk }), sequentialIds());
  const { view } = scheduler;
  const attempts = openRun(scheduler, [["a", 2]]);
  const expected = () =>
    Object.fromEntries([...view.inFlight()].map((one) => [one.attempt.chunk.id, view.expectedSeconds(one)]));
  t.match(expected(), { t0: 40 });
  const other = attempts.find((one) => one.chunk.id !== "t0")!;
  scheduler.handle({ type: "finished", attempt: other.id, seconds: 10 }, 10);
  t.match(
    Object.values(expected()).filter((seconds) => seconds !== 40),
    [10, 10],
  );
});

t.test("demand: the slot time of what waits, and when the present slots have done it", async (t) => {
  const scheduler = new Scheduler(
    rangeJob(1000n, { sizing: { by: "rate", base: 100, min: 50, max: 100 } }),
    sequentialIds(),
  );
  const { view } = scheduler;
  t.same(view.estimateDemand(0), { waitingSeconds: undefined, waitingChunks: 20, remainingSeconds: undefined });
  scheduler.handle({ type: "moreNodesExpected", expected: true }, 0);
  openRun(scheduler, [["a", 2, 10]]);
  const before = view.estimateDemand(0);
  t.match(before, { waitingSeconds: 80, waitingChunks: 16 }, "800 units at 10 a second");
  t.equal(before.remainingSeconds, 50, "two slots, and 200 units in flight");
  const join = (node: string, deadline: number) => {
    const place = { node, slots: slots(node, 1, 10), limit: 1, held: [], deadline };
    return startedAttempts(scheduler.handle({ type: "nodeJoined", ...place }, 0));
  };
  const [onB] = join("b", 30);
  const units = Number(onB!.chunk.end - onB!.chunk.start);
  t.ok(units >= 50 && units < 84, `${units} units fit into 25 s at a third of the rate that is claimed`);
  // 1000 units: 30 a second for 30 s, then 20 a second.
  t.equal(view.estimateDemand(0).remainingSeconds, 35);
  t.equal(view.estimateDemand(0, ({ node }) => node === "b").remainingSeconds, Number.POSITIVE_INFINITY);
});

t.test("demand of tasks: each on a slot of its own", async (t) => {
  const scheduler = new Scheduler(
    taskJob([10, 20, 30].map((expectedSeconds) => ({ expectedSeconds }))),
    sequentialIds(),
  );
  t.match(scheduler.view.estimateDemand(0), { waitingChunks: 3, waitingSeconds: undefined });
  openRun(scheduler, [["a", 1]]);
  t.match(scheduler.view.estimateDemand(0), { waitingChunks: 2, waitingSeconds: 30, remainingSeconds: 60 });
});
