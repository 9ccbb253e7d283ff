import t from "tap";
import type { Chunk } from "../../../../executor/job/job.js";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { openRun, runs, startedAttempts, taskJob } from "../schedulefixture.js";

/** Returns the ids of all tasks in the order in which one slot starts them. */
function orderOf(
  tasks: Partial<Chunk>[],
  ...more: [] | [done: [bigint, bigint][], programs: Map<string, { seconds: number; count: number }>]
) {
  const [done = [], programs = new Map()] = more;
  const scheduler = new Scheduler(taskJob(tasks), sequentialIds(), { done, learned: { slots: new Map(), programs } });
  const begun: string[] = [];
  let running = openRun(scheduler, [["n", 1]]);
  for (let now = 100; running.length > 0; now += 100) {
    const [attempt] = running as [Attempt];
    begun.push(attempt.chunk.id);
    const out = scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 100 }, now);
    running = startedAttempts([...out, ...scheduler.handle({ type: "committed", attempt: attempt.id }, now)]);
  }
  return begun.join(" ");
}

const CASES: [what: string, tasks: Partial<Chunk>[], order: string][] = [
  ["nothing known: the order of the file", [{}, {}, {}], "t0 t1 t2"],
  ["the longest expected first", [{ expectedSeconds: 5 }, { expectedSeconds: 90 }, { expectedSeconds: 7 }], "t1 t2 t0"],
  [
    "the order of the file among equals",
    [{ expectedSeconds: 5 }, { expectedSeconds: 9 }, { expectedSeconds: 9 }, { expectedSeconds: 5 }],
    "t1 t2 t0 t3",
  ],
  [
    "priority before length",
    [{ expectedSeconds: 900 }, { expectedSeconds: 1, priority: 1 }, { expectedSeconds: 2, priority: -1 }],
    "t1 t0 t2",
  ],
  ["the largest inputs of one script first", [runs("a", 10), runs("a", 30), runs("a", 20)], "t1 t2 t0"],
  [
    "expected durations rank before bytes",
    [
      { ...runs("a", 10), expectedSeconds: 9 },
      { ...runs("a", 30), expectedSeconds: 5 },
    ],
    "t0 t1",
  ],
];

for (const [what, tasks, order] of CASES) t.test(what, async (t) => t.equal(orderOf(tasks), order));

t.test("uses what earlier runs have learned about a script, and skips finished tasks", async (t) => {
  const programs = new Map(Object.entries({ a: { seconds: 5, count: 9 }, b: { seconds: 50, count: 9 } }));
  const tasks = [runs("a"), runs("b"), runs("a"), runs("b", 7)];
  t.equal(orderOf(tasks, [], programs), "t3 t1 t0 t2");
  t.equal(orderOf(tasks, [[1n, 3n]], programs), "t3 t0");
});

t.test("sorts the remaining tasks by what this run has learned about their scripts", async (t) => {
  const scheduler = new Scheduler(
    taskJob(Array.from({ length: 40 }, (_, at) => runs(at % 2 === 0 ? "short" : "long"))),
    sequentialIds(),
  );
  let [attempt] = openRun(scheduler, [["n", 1]]);
  const begun: string[] = [];
  for (let now = 100; attempt !== undefined; now += 100) {
    const program = attempt.chunk.spec.program as { command: readonly string[] };
    begun.push(program.command[0]!);
    const seconds = program.command[0] === "long" ? 90 : 40;
    const out = scheduler.handle({ type: "finished", attempt: attempt.id, seconds }, now);
    [attempt] = startedAttempts([...out, ...scheduler.handle({ type: "committed", attempt: attempt.id }, now)]);
  }
  t.same(begun.slice(-8), Array(8).fill("short"));
  const { programs } = scheduler.learned();
  t.ok(programs!.get("long")!.seconds > 2 * programs!.get("short")!.seconds, "and is kept for the next one");
});

/** Opens a run on one slot six times as fast as two others, all with known rates. */
function sixToOne(tasks: Partial<Chunk>[]) {
  const slots = new Map(
    ["fast/0", "slow/0", "slow/1"].map((key) => [key, { rate: key === "fast/0" ? 6 : 1, evidence: 9 }]),
  );
  const scheduler = new Scheduler(taskJob(tasks), sequentialIds(), { learned: { slots } });
  const first = openRun(scheduler, [
    ["fast", 1],
    ["slow", 2],
  ]);
  for (const { id } of first) scheduler.handle({ type: "started", attempt: id }, 0);
  return { scheduler, first };
}
const where = (attempts: Attempt[]) => attempts.map(({ chunk, node, slot }) => `${chunk.id} ${node}/${slot}`).sort();

t.test(
  "the fastest slots start with the longest tasks, slower slots with those that the fastest will not reach",
  async (t) => {
    const { first } = sixToOne(Array.from({ length: 60 }, (_, at) => ({ expectedSeconds: 60 - at })));
    const units = first.map(({ node, chunk }) => [node, Number(chunk.start)] as const);
    t.equal(units.find(([node]) => node === "fast")![1], 0);
    for (const [node, unit] of units) if (node === "slow") t.ok(unit > 20 && unit < 40, `task ${unit} of 60`);
  },
);

t.test("a long task is left to the fast slot that would finish it sooner, and starts there next", async (t) => {
  const { scheduler, first } = sixToOne([{ expectedSeconds: 60 }, { expectedSeconds: 60 }]);
  t.same(where(first), ["t0 fast/0"], "20 s for both there, 60 s for one elsewhere");
  const next = scheduler.handle({ type: "finished", attempt: first[0]!.id, seconds: 10 }, 10);
  t.same(where(startedAttempts(next)), ["t1 fast/0"]);
});

t.test("many long tasks go to every slot", async (t) => {
  t.equal(sixToOne(Array.from({ length: 12 }, () => ({ expectedSeconds: 60 }))).first.length, 3);
});

t.test("no slot waits for a fast one that cannot take the remaining tasks", async (t) => {
  const { scheduler, first } = sixToOne([{ expectedSeconds: 60 }, { expectedSeconds: 60 }]);
  const out = scheduler.handle({ type: "nodeLost", node: "fast" }, 1);
  t.equal(startedAttempts(out).length, 2, "both, on the slow node");
  t.ok(first.length === 1 && startedAttempts(out).every(({ node }) => node === "slow"));
});

/** Finishes the tasks of `sixToOne`, except the one on slow/0, after `seconds` each. Returns the instructions at `at`. */
function lastOne(seconds: number, at: number): { out: Instruction[]; last: Attempt; scheduler: Scheduler } {
  const { scheduler, first } = sixToOne(Array.from({ length: 30 }, () => ({})));
  const last = first.find(({ node }) => node === "slow")!;
  const running = first.filter((one) => one !== last);
  for (let one = running.shift(); one !== undefined; one = running.shift()) {
    scheduler.handle({ type: "started", attempt: one.id }, 0);
    const out = scheduler.handle(
      { type: "finished", attempt: one.id, seconds: one.node === "fast" ? seconds / 6 : seconds },
      1,
    );
    running.push(...startedAttempts([...out, ...scheduler.handle({ type: "committed", attempt: one.id }, 1)]));
  }
  return { out: scheduler.handle({ type: "tick" }, at), last, scheduler };
}

t.test("a long-running task gets a speculative copy on an idle slot that is clearly faster", async (t) => {
  const { out, last, scheduler } = lastOne(60, 100);
  t.same(where(startedAttempts(out)), [`${last.chunk.id} fast/0`]);
  const twin = startedAttempts(out)[0]!;
  t.same(startedAttempts(scheduler.handle({ type: "tick" }, 200)), [], "and no third time");
  t.match(scheduler.handle({ type: "finished", attempt: twin.id, seconds: 20 }, 220), [{ do: "drop", id: last.id }]);
  t.match(scheduler.handle({ type: "committed", attempt: twin.id }, 220), [{ do: "end" }]);
});

t.test("a task that is about to end gets no speculative copy", async (t) => {
  t.same(startedAttempts(lastOne(60, 55).out), [], "some 60 s have been usual");
  t.same(startedAttempts(lastOne(6, 8).out), [], "little would be saved");
});
