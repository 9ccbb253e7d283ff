import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { openRun, rangeJob, singleUnits, startedAttempts } from "../schedulefixture.js";

const sick = (slot: number, more: { evict?: boolean; lasting?: boolean } = {}) =>
  ({ type: "slotSick", node: "a", slot, reason: "perf unknown", evict: false, lasting: false, ...more }) as const;

t.test("a sick slot gets no work, its chunks move elsewhere, and it is used again when it has recovered", async (t) => {
  const scheduler = new Scheduler(rangeJob(200n, singleUnits), sequentialIds());
  const first = openRun(scheduler, [["a", 2]]);
  const [one, two] = [first.find(({ slot }) => slot === 0)!, first.find(({ slot }) => slot === 1)!];
  for (const { id } of [one, two]) scheduler.handle({ type: "started", attempt: id }, 0);
  // After a short chunk, slots hold several: the others are queued behind the running one.
  const more = startedAttempts(scheduler.handle({ type: "finished", attempt: one.id, seconds: 0.1 }, 0));
  const running = more.find(({ slot }) => slot === 0)!;
  scheduler.handle({ type: "started", attempt: running.id }, 0);
  const queued = more.filter((attempt) => attempt.slot === 1).map(({ id }) => id);
  t.ok(queued.length > 0);

  const out = scheduler.handle(sick(1), 1);
  t.notOk(startedAttempts(out).some(({ slot }) => slot === 1));
  t.match(out, [{ do: "withdraw", node: "a", ids: queued }]);
  t.notOk(
    out.some((instruction) => instruction.do === "evict"),
    "it may still make progress",
  );
  t.match(scheduler.handle(sick(1, { evict: true }), 2), [{ do: "evict", node: "a", ids: [two.id] }]);
  for (const id of [...queued, two.id]) scheduler.handle({ type: "requeued", attempt: id }, 3);

  const next = startedAttempts([
    ...scheduler.handle({ type: "finished", attempt: running.id, seconds: 0.1 }, 4),
    ...scheduler.handle({ type: "committed", attempt: running.id }, 4),
  ]);
  t.ok(next.length > 0);
  t.notOk(next.some(({ slot }) => slot === 1));
  const back = startedAttempts(scheduler.handle({ type: "slotRecovered", node: "a", slot: 1 }, 5));
  t.ok(back.length > 0 && back.every(({ slot }) => slot === 1));
});

t.test("failures on a sick slot are forgiven", async (t) => {
  const scheduler = new Scheduler(
    rangeJob(1n, { ...singleUnits, retry: { attempts: 1, backoff: 1 } }),
    sequentialIds(),
  );
  const [only] = openRun(scheduler, [["a", 1]]);
  scheduler.handle(sick(0), 1);
  const how = { exit: 1, signal: null, reason: "exit code 1", stderr: "" };
  const failure = { chunk: only!.chunk.id, node: "a", slot: 0, attempt: 1, ...how };
  const out = scheduler.handle({ type: "failed", attempt: only!.id, failure }, 2);
  t.notOk(out.some((instruction) => instruction.do === "give-up"));
  scheduler.handle({ type: "tick" }, 100);
  t.equal(startedAttempts(scheduler.handle({ type: "slotRecovered", node: "a", slot: 0 }, 100)).length, 1);
});
