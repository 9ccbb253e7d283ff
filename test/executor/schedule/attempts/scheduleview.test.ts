import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { openRun, rangeJob, startedAttempts } from "../schedulefixture.js";

t.test(
  "durations are unknown before the first chunk of a slot has ended, a rate of the inventory or not",
  async (t) => {
    const job = rangeJob(1000n, { sizing: { by: "rate", base: 100, min: 100, max: 100 } });
    const scheduler = new Scheduler(job, [], sequentialIds());
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
  const scheduler = new Scheduler(rangeJob(6n, { kind: "tasks", sizing: undefined, chunk }), [], sequentialIds());
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
