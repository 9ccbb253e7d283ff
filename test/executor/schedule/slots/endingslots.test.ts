import t from "tap";
import type { Chunk, Job } from "../../../../executor/job/job.js";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { failureOf, openRun, rangeJob, runs, slots, startedAttempts, taskJob } from "../schedulefixture.js";

/** A scheduler of a job whose nodes may come later. */
function awaiting(job: Job): Scheduler {
  const scheduler = new Scheduler(job, sequentialIds());
  for (const type of ["dispatchOpened", "allJoined"] as const) scheduler.handle({ type }, 0);
  scheduler.handle({ type: "moreNodesExpected", expected: true }, 0);
  return scheduler;
}

/** Joins a node of slots with rate 1. */
function join(scheduler: Scheduler, node: string, now: number, deadline?: number, count = 1): Instruction[] {
  const place = { node, slots: slots(node, count, 1), limit: count, held: [], deadline };
  return scheduler.handle({ type: "nodeJoined", ...place }, now);
}

const ids = (out: Instruction[]) => startedAttempts(out).map(({ chunk }) => chunk.id);
const unitsOf = ({ chunk }: Attempt) => Number(chunk.end - chunk.start);
const expects = (...seconds: (number | undefined)[]) => taskJob(seconds.map((one) => ({ expectedSeconds: one })));
const kinds = (out: Instruction[]) => out.map((one) => one.do).filter((what) => what !== "wake");

/** Starts what an attempt's program does, and ends it with its node at `now`. */
function cutOff(scheduler: Scheduler, attempt: Attempt, since: number, now: number): Instruction[] {
  scheduler.handle({ type: "started", attempt: attempt.id }, since);
  return [
    ...scheduler.handle({ type: "nodeDisconnected", node: attempt.node }, now),
    ...scheduler.handle({ type: "requeued", attempt: attempt.id }, now),
    ...scheduler.handle({ type: "nodeLost", node: attempt.node }, now),
  ];
}

t.test("a task that does not end before the deadline is skipped for a shorter one", async (t) => {
  const scheduler = awaiting(expects(100, 10, 60, 10));
  join(scheduler, "long", 0, 1000, 0);
  t.same(ids(join(scheduler, "a", 0, 50)), ["t1"], "the longest that nine of ten times needs less than 45 s");
  t.same(ids(join(scheduler, "b", 0, 1000)), ["t0"]);
});

t.test("a slot that there is no chunk for stays in use", async (t) => {
  const scheduler = awaiting(expects(5));
  t.same(ids(join(scheduler, "a", 0, 1000, 3)), ["t0"]);
  t.equal(scheduler.view.hasWaitingWork, false);
  const [, ...idle] = [...scheduler.view.slots()];
  for (const slot of idle) t.equal(slot.endsTooSoon, false, `slot ${slot.slot}`);
});

t.test("tasks of lower priority come before those of a higher one that do not fit", async (t) => {
  const tasks = [
    { expectedSeconds: 100, priority: 1 },
    { expectedSeconds: 10, priority: 0 },
  ];
  const scheduler = awaiting(taskJob(tasks));
  join(scheduler, "long", 0, 1000, 0);
  t.same(ids(join(scheduler, "a", 0, 50)), ["t1"]);
});

t.test("a long task waits for the node that stays, and does not start on one that ends", async (t) => {
  const scheduler = awaiting(expects(100, 100));
  t.same(ids(join(scheduler, "rig", 0)), ["t0"]);
  t.same(ids(join(scheduler, "a", 0, 100)), [], "although the node has its whole time");
  scheduler.handle({ type: "finished", attempt: "0", seconds: 100 }, 100);
  t.same(ids(scheduler.handle({ type: "committed", attempt: "0" }, 100)), []);
  t.equal([...scheduler.view.inFlight()].map(({ attempt }) => attempt.node).join(), "rig");
});

t.test("a waiting task that is too long for the present nodes waits for the node that stays, too", async (t) => {
  const scheduler = awaiting(expects(100, 100));
  t.same(ids(join(scheduler, "a", 0, 260)), ["t0"]);
  t.same(ids(join(scheduler, "rig", 0)), ["t1"]);
  t.same(ids(cutOff(scheduler, startedAttemptOf(scheduler, "a"), 0, 50)), []);
  t.same(ids(join(scheduler, "b", 50, 300)), [], "although it lasts nearly as long as others");
  scheduler.handle({ type: "nodeDisconnected", node: "rig" }, 51);
  t.same(ids(scheduler.handle({ type: "tick" }, 56)), ["t0"], "once the rig is away");
});

t.test("while more nodes are expected, nothing is given up and no run is stuck; then it is", async (t) => {
  const scheduler = awaiting(expects(100));
  t.same(ids(join(scheduler, "a", 0, 1000)), ["t0"]);
  t.same(kinds(cutOff(scheduler, startedAttemptOf(scheduler), 0, 500)), [], "it was preempted");
  t.same(kinds(join(scheduler, "b", 500, 560)), [], "too short");
  t.same(kinds(scheduler.handle({ type: "tick" }, 501)), []);
  t.match(scheduler.handle({ type: "moreNodesExpected", expected: false }, 502), [
    {
      do: "stuck",
      reasons: [
        "a slot 0: its node is disconnected",
        "b slot 0: its node ends before the chunk would (expected 1 min 40 s)",
      ],
    },
  ]);
  t.same(ids(join(scheduler, "c", 510, 2000)), ["t0"]);
});

t.test("a chunk that fits no node that is left is given up with the reason", async (t) => {
  const scheduler = awaiting(expects(10, 100));
  t.same(ids(join(scheduler, "a", 0, 1000)), ["t1"]);
  t.same(ids(join(scheduler, "b", 0, 40)), ["t0"]);
  cutOff(scheduler, startedAttemptOf(scheduler, "a"), 0, 30);
  t.same(kinds(scheduler.handle({ type: "moreNodesExpected", expected: false }, 31)), []);
  scheduler.handle({ type: "finished", attempt: "1", seconds: 10 }, 31);
  t.match(
    scheduler.handle({ type: "committed", attempt: "1" }, 31).filter(({ do: what }) => what !== "wake"),
    [{ do: "stuck" }],
  );
  const late = scheduler.handle({ type: "tick" }, 1001);
  t.notOk(late.some((one) => one.do === "start"));
});

function startedAttemptOf(scheduler: Scheduler, node?: string): Attempt {
  return [...scheduler.view.inFlight()].map(({ attempt }) => attempt).find((one) => one.node === (node ?? one.node))!;
}

t.test("a task that has had the whole time of a node uses up a try each time, and is given up", async (t) => {
  const scheduler = awaiting(expects(undefined));
  const out: Instruction[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const now = turn * 1000;
    t.same(ids(join(scheduler, `n${turn}`, now, now + 600)), ["t0"], `attempt ${turn + 1}`);
    const attempt = startedAttemptOf(scheduler);
    t.equal(attempt.number, turn + 1);
    out.push(...cutOff(scheduler, attempt, now + 1, now + 600));
  }
  const reason = "it ran for 9 min 59 s without ending before its node did (on n0, n1, n2)";
  t.match(
    out.filter((one) => one.do !== "wake"),
    [
      { do: "report-loss" },
      { do: "report-loss" },
      { do: "report-loss" },
      { do: "give-up", failure: { reason } },
      { do: "end" },
    ],
  );
});

const declared = { type: "lifetimeDeclared", seconds: 600, advice: "raise `time` of hpc" } as const;

t.test("where no node can last longer, a task that has had the whole time of one is given up at once", async (t) => {
  const scheduler = awaiting(expects(undefined));
  scheduler.handle(declared, 0);
  join(scheduler, "hpc/1", 0, 600);
  t.match(kinds(cutOff(scheduler, startedAttemptOf(scheduler), 10, 300)), [], "it was preempted");
  join(scheduler, "hpc/2", 300, 900);
  const out = cutOff(scheduler, startedAttemptOf(scheduler), 310, 900);
  const reason = "it ran for 9 min 50 s without ending before its node did (on hpc/2); raise `time` of hpc";
  t.match(
    out.filter((one) => one.do !== "wake"),
    [{ do: "report-loss" }, { do: "give-up", failure: { reason } }, { do: "end" }],
  );
});

t.test("it is tried again where it had less, where a node ended early, and where one may stay", async (t) => {
  const left = (lifetime: number, now: number, stays = false) => {
    const scheduler = awaiting(expects(undefined));
    scheduler.handle(declared, 0);
    if (stays) join(scheduler, "rig", 0, undefined, 0);
    join(scheduler, "hpc/1", 0, lifetime);
    return kinds(cutOff(scheduler, startedAttemptOf(scheduler), 1, now));
  };
  t.same(left(600, 600), ["report-loss", "give-up", "end"]);
  const early = [left(600, 580), left(40, 25), left(40, 10)];
  t.same(early, [["report-loss"], ["report-loss"], []], "ended early: a little, by Slurm's warning, and by far");
  t.same([left(300, 300), left(600, 600, true)], [["report-loss"], ["report-loss"]], "joined late, and a rig");
});

t.test("a task with a state goes on from node to node, however often it is cut off", async (t) => {
  const spec = { ...runs("a").spec, state: { path: "state" } } as unknown as Chunk["spec"];
  const scheduler = awaiting(taskJob([{ expectedSeconds: 5000, spec }]));
  for (let turn = 0; turn < 10; turn++) {
    const now = turn * 1000;
    t.same(ids(join(scheduler, `n${turn}`, now, now + 600)), ["t0"]);
    t.same(kinds(cutOff(scheduler, startedAttemptOf(scheduler), now, now + 600)), []);
  }
});

t.test("a task of unknown duration that was cut off needs more time than it had", async (t) => {
  const scheduler = awaiting(expects(undefined));
  join(scheduler, "long", 0, 10_000, 0);
  t.same(ids(join(scheduler, "a", 0, 400)), ["t0"], "a minute is left for what is unknown");
  cutOff(scheduler, startedAttemptOf(scheduler), 0, 400);
  t.same(ids(join(scheduler, "b", 400, 900)), [], "500 s are less than 1.5 times 400 s");
  t.same(ids(join(scheduler, "c", 400, 1100)), ["t0"]);
});

t.test("a range is cut to fit, and the last chunk leaves the slot without work", async (t) => {
  const scheduler = awaiting(rangeJob(10_000n, { sizing: { by: "time", target: 600, min: 10 } }));
  let now = 0;
  const sizes: number[] = [];
  for (let [next] = startedAttempts(join(scheduler, "a", 0, 600)); next !== undefined; ) {
    sizes.push(unitsOf(next));
    now += unitsOf(next);
    const out = scheduler.handle({ type: "finished", attempt: next.id, seconds: unitsOf(next) }, now);
    scheduler.handle({ type: "committed", attempt: next.id }, now);
    [next] = startedAttempts(out);
  }
  t.ok(now <= 595, `${sizes} end after ${now} s`);
  t.ok(now >= 570, `${sizes} end after ${now} s`);
  t.equal(scheduler.view.usableSlots, 0);
});

t.test("a waiting chunk of a range is cut, too", async (t) => {
  const scheduler = awaiting(rangeJob(400n, { sizing: { by: "rate", base: 400, min: 20, max: 400 } }));
  const [whole] = startedAttempts(join(scheduler, "a", 0, 2000));
  t.equal(unitsOf(whole!), 400);
  cutOff(scheduler, whole!, 0, 100);
  const parts = ["b", "c", "d"].flatMap((node) => startedAttempts(join(scheduler, node, 100, 400)));
  t.equal(parts.length, 3);
  for (const part of parts) t.ok(unitsOf(part) <= 295 / 3, `${unitsOf(part)}: at a third of the rate that is claimed`);
  t.equal(parts[0]!.chunk.start, 0n);
  t.equal(parts[1]!.chunk.start, parts[0]!.chunk.end);
});

t.test("chunks of a fixed size that need longer than any node lasts use up tries", async (t) => {
  const scheduler = awaiting(rangeJob(100n, { sizing: { by: "rate", base: 100, min: 100, max: 100 } }));
  const out: Instruction[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const now = turn * 100;
    const [attempt] = startedAttempts(join(scheduler, `n${turn}`, now, now + 60));
    t.equal(attempt?.number, turn + 1);
    out.push(...cutOff(scheduler, attempt!, now, now + 60));
  }
  t.same(kinds(out), ["report-loss", "report-loss", "report-loss", "give-up", "end"]);
});

t.test("where no rate is known, units that were cut off are fewer the next time", async (t) => {
  const scheduler = awaiting(rangeJob(10_000n, { sizing: { by: "time", first: 500, min: 1 } }));
  const joinUnknown = (node: string, now: number) => {
    const place = { node, slots: slots(node, 1), limit: 1, held: [], deadline: now + 100 };
    return startedAttempts(scheduler.handle({ type: "nodeJoined", ...place }, now));
  };
  const [first] = joinUnknown("a", 0);
  t.equal(unitsOf(first!), 500);
  cutOff(scheduler, first!, 0, 100);
  const [second] = joinUnknown("b", 100);
  t.ok(unitsOf(second!) < 350, `${unitsOf(second!)}: fewer than 5 a second, for 95 s`);
});

t.test("no chunk is queued behind another one that leaves it no time", async (t) => {
  const scheduler = awaiting(rangeJob(6000n, { sizing: { by: "rate", base: 6, min: 6, max: 6 } }));
  const [first] = startedAttempts(join(scheduler, "a", 0, 20));
  const [second, third] = startedAttempts(scheduler.handle({ type: "finished", attempt: first!.id, seconds: 6 }, 6));
  t.equal(unitsOf(second!), 6, "until 12 s");
  t.equal(third, undefined, "it would end after 18 s");
  const [onB, behind] = startedAttempts(join(scheduler, "b", 6, 100));
  t.equal(onB!.node, "b");
  t.equal(behind?.node, "b", "there is time for one more");
});

t.test("a node that joins again brings another deadline", async (t) => {
  const scheduler = awaiting(expects(100));
  join(scheduler, "long", 0, 5000, 0);
  t.same(ids(join(scheduler, "a", 0, 50)), []);
  t.same(ids(join(scheduler, "a", 10, 4000)), ["t0"]);
});

t.test("a chunk for two GPUs does not start where they leave too soon", async (t) => {
  const job = taskJob([{ expectedSeconds: 100, spec: { ...runs("a").spec, gpus: 2 } }, { expectedSeconds: 5 }], {
    gpuCounts: { fewest: 1, most: 2 },
  });
  const scheduler = awaiting(job);
  join(scheduler, "long", 0, 1000, 0);
  t.same(ids(join(scheduler, "a", 0, 60, 2)), ["t1"]);
  t.same(ids(join(scheduler, "b", 0, 900, 2)), ["t0"]);
});

t.test("the last test before a halt waits for a node, if more are expected", async (t) => {
  const scheduler = awaiting(taskJob([{ expectedSeconds: 10 }, { expectedSeconds: 10 }], { halt: { alike: 2 } }));
  const started = startedAttempts(join(scheduler, "a", 0, 100, 2));
  t.equal(started.length, 2);
  for (const one of started) scheduler.handle({ type: "failed", attempt: one.id, failure: failureOf(one) }, 1);
  scheduler.handle({ type: "nodeDisconnected", node: "a" }, 1);
  const out = [...scheduler.handle({ type: "nodeLost", node: "a" }, 1), ...scheduler.handle({ type: "tick" }, 700)];
  t.same(kinds(out), []);
  t.equal(startedAttempts(join(scheduler, "b", 701, 900)).length, 1);
});

t.test("without deadlines and expected nodes, a run that has no slot is stuck as before", async (t) => {
  const scheduler = new Scheduler(expects(10, 10), sequentialIds());
  openRun(scheduler, [["a", 1]]);
  scheduler.handle({ type: "nodeDisconnected", node: "a" }, 1);
  t.match(scheduler.handle({ type: "nodeLost", node: "a" }, 2), [{ do: "stuck" }]);
});

t.test("a chunk that was cut off while no chunk has succeeded starts on the next node", async (t) => {
  const job = taskJob([{}], { halt: { alike: 3 } });
  const scheduler = awaiting(job);
  t.same(ids(join(scheduler, "a", 0, 420)), ["t0"]);
  scheduler.handle({ type: "started", attempt: "0" }, 1);
  scheduler.handle({ type: "slotBroken", node: "a", slot: 0, reason: "its allocation ends" }, 4);
  scheduler.handle({ type: "requeued", attempt: "0" }, 4);
  scheduler.handle({ type: "nodeLost", node: "a" }, 5);
  scheduler.handle({ type: "tick" }, 8);
  t.same(ids(join(scheduler, "b", 10, 430)), ["t0"]);
});
