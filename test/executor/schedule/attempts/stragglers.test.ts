import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { openRun, rangeJob, startedAttempts, taskJob } from "../schedulefixture.js";

const sizing = { by: "rate", base: 10, min: 10, max: 10 } as const;

/** Runs chunks of one second each, except the one on slot 0 of `slow`, which stays in flight. */
function leftAlone(nodes: [string, number][], change = {}): { scheduler: Scheduler; last: Attempt; now: number } {
  const scheduler = new Scheduler(rangeJob(60n, { sizing, ...change }), sequentialIds());
  const running = openRun(scheduler, nodes);
  const last = running.find((one) => one.node === "slow")!;
  let now = 0;
  for (const attempt of running) scheduler.handle({ type: "started", attempt: attempt.id }, now);
  for (;;) {
    const attempt = running.find((one) => one !== last);
    if (attempt === undefined) return { scheduler, last, now };
    running.splice(running.indexOf(attempt), 1);
    now += 0.01;
    running.push(...startedAttempts(scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 1 }, now)));
    scheduler.handle({ type: "committed", attempt: attempt.id }, now);
  }
}

/** Advances time to each wake-up that the scheduler asked for, until it gives another instruction. */
function wait(scheduler: Scheduler, from: number): { out: Instruction[]; now: number } {
  let now = from;
  for (let turn = 0; turn < 200; turn++) {
    const out = scheduler.handle({ type: "tick" }, now);
    const wake = out.find((one) => one.do === "wake");
    if (out.some((one) => one.do !== "wake")) return { out, now };
    if (wake?.do !== "wake") return { out: [], now };
    now = wake.at;
  }
  return { out: [], now };
}

t.test("splits a chunk that is far overdue even if no other event arrives", async (t) => {
  const { scheduler, last, now } = leftAlone([
    ["fast", 2],
    ["slow", 1],
  ]);
  const { out, now: later } = wait(scheduler, now);
  t.match(
    out.filter((one) => one.do === "split"),
    [{ do: "split", node: "slow", id: last.id }],
  );
  const end = last.chunk.start + 2n;
  const given = startedAttempts(scheduler.handle({ type: "split", attempt: last.id, end }, later));
  t.same(
    given.map(({ chunk, node }) => [node, chunk.start, chunk.end]),
    [["fast", end, end + 8n]],
  );
  t.equal(scheduler.attempt(last.id)?.chunk.end, end);
});

t.test("starts a speculative copy if the program cannot split, and drops the slower attempt", async (t) => {
  const { scheduler, last, now } = leftAlone([
    ["fast", 2],
    ["slow", 1],
  ]);
  let [twin, at] = [undefined as Attempt | undefined, now];
  for (let turn = 0; twin === undefined && turn < 100; turn++) {
    const { out, now: later } = wait(scheduler, at);
    at = later + 0.01;
    for (const one of out)
      if (one.do === "split") out.push(...scheduler.handle({ type: "split", attempt: one.id, end: undefined }, at));
    [twin] = startedAttempts(out);
  }
  t.equal(twin?.node, "fast");
  t.equal(twin?.chunk.id, last.chunk.id);
  t.ok(at >= 2, `not before something would be saved: after ${at} s`);
  t.match(scheduler.handle({ type: "finished", attempt: twin!.id, seconds: 1 }, at + 1), [
    { do: "drop", node: "slow", id: last.id },
  ]);
  t.match(scheduler.handle({ type: "committed", attempt: twin!.id }, at + 1), [{ do: "end" }]);
});

t.test("a chunk with a state is neither split nor computed twice", async (t) => {
  const state = { every: 60, limit: 1 };
  const chunk = (start: bigint, end: bigint) => {
    const made = rangeJob(60n).chunk(start, end);
    return { ...made, spec: { ...made.spec, state } };
  };
  const { scheduler, now } = leftAlone(
    [
      ["fast", 2],
      ["slow", 1],
    ],
    { chunk },
  );
  for (let at = now, turn = 0; turn < 50; turn++) {
    const { out, now: later } = wait(scheduler, at);
    t.same(out, []);
    at = later + 10;
  }
});

t.test("starts no copy of a chunk with an unknown duration", async (t) => {
  const scheduler = new Scheduler(taskJob([{}, {}]), sequentialIds());
  for (const { id } of openRun(scheduler, [["a", 3]])) scheduler.handle({ type: "started", attempt: id }, 0);
  for (const later of [10, 100, 1000, 10_000])
    t.same(startedAttempts(scheduler.handle({ type: "tick" }, later)), [], `after ${later} s`);
});
