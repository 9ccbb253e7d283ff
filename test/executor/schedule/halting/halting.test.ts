import fc from "fast-check";
import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Failure, HaltReason, Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { RandomRun } from "../randomrun.js";
import { failureOf, openRun, rangeJob, singleUnits, slots, startedAttempts, taskJob } from "../schedulefixture.js";

const DEFAULT = { alike: 3 };

/** Creates a range of 1000 chunks of one unit. */
function createJob(change: Partial<Job> = {}): Job {
  return rangeJob(1000n, { ...singleUnits, halt: DEFAULT, ...change });
}

function failAs(scheduler: Scheduler, attempt: Attempt, change: Partial<Failure>, now: number): Instruction[] {
  return scheduler.handle({ type: "failed", attempt: attempt.id, failure: { ...failureOf(attempt), ...change } }, now);
}

function succeed(scheduler: Scheduler, attempt: Attempt, now: number): Instruction[] {
  return [
    ...scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 1 }, now),
    ...scheduler.handle({ type: "committed", attempt: attempt.id }, now),
  ];
}

function findHalt(out: readonly Instruction[]): HaltReason | undefined {
  return out.flatMap((one) => (one.do === "halt" ? [one.halt] : []))[0];
}

/** Lets every attempt that is started fail alike, until the run halts or ends. Returns how many were started. */
function failAll(scheduler: Scheduler, first: Attempt[]): { count: number; halt: HaltReason | undefined } {
  const waiting = [...first];
  let count = first.length;
  for (let now = 1; now < 5000; now++) {
    const attempt = waiting.shift();
    const out = attempt === undefined ? scheduler.handle({ type: "tick" }, now) : failAs(scheduler, attempt, {}, now);
    const halt = findHalt(out);
    if (halt !== undefined || out.some((one) => one.do === "end")) return { count, halt };
    const started = startedAttempts(out);
    count += started.length;
    waiting.push(...started);
  }
  throw new Error("the run goes on");
}

const FLEETS: [nodes: [string, number][], attempts: number][] = [
  [[["a", 1]], 4],
  [[["a", 2]], 5],
  [[["a", 8]], 9],
  [
    [
      ["a", 8],
      ["b", 8],
    ],
    17,
  ],
];
for (const [nodes, attempts] of FLEETS)
  t.test(`a program that always fails is started ${attempts} times on ${JSON.stringify(nodes)}`, async (t) => {
    const scheduler = new Scheduler(createJob(), sequentialIds());
    const { count, halt } = failAll(scheduler, openRun(scheduler, nodes));
    t.equal(count, attempts);
    t.match(halt, { rule: "alike", reason: /^\d+ chunks failed alike, and none has succeeded$/ });
    t.equal(new Set(halt!.failures.map((one) => one.chunk)).size, halt!.failures.length, "one of each chunk");
    t.ok(halt!.failures.length >= 3);
    t.same(scheduler.handle({ type: "tick" }, 10_000), [], "nothing follows");
  });

t.test("no slot gets a second chunk before one has succeeded; then all do", async (t) => {
  const scheduler = new Scheduler(createJob(), sequentialIds());
  const first = openRun(scheduler, [["a", 4]]);
  t.equal(first.length, 4);
  t.same(startedAttempts(failAs(scheduler, first[0]!, { reason: "exit code 1" }, 1)), []);
  t.same(startedAttempts(failAs(scheduler, first[1]!, { reason: "other" }, 1)), []);
  t.same(startedAttempts(scheduler.handle({ type: "tick" }, 100)), [], "nor later");
  const finished = scheduler.handle({ type: "finished", attempt: first[2]!.id, seconds: 1 }, 101);
  t.ok(startedAttempts(finished).length <= 1, "its result may still be refused");
  const slotsUsed = startedAttempts(scheduler.handle({ type: "committed", attempt: first[2]!.id }, 101));
  t.same(new Set([...slotsUsed, ...startedAttempts(finished)].map(({ slot }) => slot)), new Set([0, 1, 2, 3]));
});

t.test("failures that are not alike start another round", async (t) => {
  const scheduler = new Scheduler(createJob(), sequentialIds());
  const first = openRun(scheduler, [["a", 3]]);
  const reasons = ["no memory", "no disk", "no network"];
  const out = first.flatMap((one, index) => failAs(scheduler, one, { reason: reasons[index]! }, 1));
  t.equal(findHalt(out), undefined);
  t.equal(startedAttempts(out).length, 3);
});

t.test("a chunk that fails again and again is one chunk", async (t) => {
  const scheduler = new Scheduler(taskJob([{}, {}], { halt: DEFAULT }), sequentialIds());
  const { count, halt } = failAll(scheduler, openRun(scheduler, [["a", 2]]));
  t.equal(halt, undefined);
  t.equal(count, 6, "each has its tries");
});

/** Lets the attempts on some nodes fail alike. */
function failOn(scheduler: Scheduler, attempts: readonly Attempt[], nodes: string, now: number): Instruction[] {
  return attempts.flatMap((one) => (nodes.includes(one.node) ? failAs(scheduler, one, {}, now) : []));
}

const startsAndHalts = (out: readonly Instruction[]) => out.filter((one) => one.do === "halt" || one.do === "start");
const ONE_TRY = { retry: { attempts: 1, backoff: 0 } };

t.test("nodes that are out of order stop no run while others are at work", async (t) => {
  for (const broken of ["a", "ab"]) {
    const start = () => {
      const scheduler = new Scheduler(createJob(ONE_TRY), sequentialIds());
      const first = openRun(scheduler, [
        ["a", 4],
        ["b", 4],
        ["c", 1],
      ]);
      const out = failOn(scheduler, first, broken, 1);
      t.same(startsAndHalts(out), [], "the others are waited for");
      t.equal(out.filter((one) => one.do === "report-wait").length, 1, "which is told once");
      return { scheduler, rest: first.filter(({ node }) => !broken.includes(node)) };
    };
    const { scheduler, rest } = start();
    t.equal(findHalt(rest.flatMap((one) => failAs(scheduler, one, {}, 2)))?.rule, "alike", "they fail alike");
    const again = start();
    const proven = succeed(again.scheduler, again.rest[0]!, 2);
    t.equal(findHalt(proven), undefined);
    t.ok(startedAttempts(proven).length > 0);
  }
});

t.test("bad chunks that end sooner than good ones stop no run", async (t) => {
  const scheduler = new Scheduler(createJob(ONE_TRY), sequentialIds());
  const first = openRun(scheduler, [["a", 6]]);
  for (const { id } of first) scheduler.handle({ type: "started", attempt: id }, 0);
  const out = first.slice(0, 3).flatMap((one) => failAs(scheduler, one, {}, 1));
  t.same(startsAndHalts(out), []);
  t.ok(startedAttempts(succeed(scheduler, first[3]!, 6)).length > 0);
});

t.test("a chunk that runs far longer than those that failed shows that the program works", async (t) => {
  const scheduler = new Scheduler(createJob(ONE_TRY), sequentialIds());
  const first = openRun(scheduler, [["a", 4]]);
  for (const { id } of first) scheduler.handle({ type: "started", attempt: id }, 0);
  const out = first.slice(0, 3).flatMap((one) => failAs(scheduler, one, {}, 1));
  t.same(startsAndHalts(out), []);
  t.match(out.filter((one) => one.do === "wake").at(-1), { at: 30 });
  t.same(startsAndHalts(scheduler.handle({ type: "tick" }, 29)), []);
  const more = startedAttempts(scheduler.handle({ type: "tick" }, 30));
  t.equal(more.length, 3);
  const later = more.flatMap((one) => failAs(scheduler, one, {}, 31));
  t.ok(startedAttempts(later).length > 0, "chunks that fail alike later stop nothing");
});

t.test("before the run stops, a chunk that failed is tried again", async (t) => {
  const play = (isUp: boolean) => {
    const scheduler = new Scheduler(createJob(), sequentialIds());
    const first = openRun(scheduler, [["a", 3]]);
    const out = first.flatMap((one) => failAs(scheduler, one, {}, 1));
    t.same(startsAndHalts(out), [], "not before its pause is over");
    const again = startedAttempts(scheduler.handle({ type: "tick" }, 2));
    t.equal(again.length, 1);
    t.equal(again[0]!.number, 2);
    return isUp ? succeed(scheduler, again[0]!, 3) : failAs(scheduler, again[0]!, {}, 3);
  };
  t.equal(findHalt(play(false))?.rule, "alike");
  const out = play(true);
  t.equal(findHalt(out), undefined);
  t.ok(startedAttempts(out).length > 0, "what was out of order for a moment is in order again");
});

t.test("a node that was lost is waited for, but not forever", async (t) => {
  const scheduler = new Scheduler(createJob(ONE_TRY), sequentialIds());
  const first = openRun(scheduler, [
    ["a", 4],
    ["b", 1],
  ]);
  failOn(scheduler, first, "a", 1);
  t.same(startsAndHalts(scheduler.handle({ type: "nodeLost", node: "b" }, 60)), []);
  t.equal(findHalt(scheduler.handle({ type: "tick" }, 700))?.rule, "alike");
});

t.test("nodes that have not answered are waited for, without trying more", async (t) => {
  const scheduler = new Scheduler(createJob(ONE_TRY), sequentialIds());
  scheduler.handle({ type: "dispatchOpened" }, 0);
  const join = { type: "nodeJoined", node: "a", slots: slots("a", 4), limit: 4, held: [] } as const;
  const first = startedAttempts(scheduler.handle(join, 0));
  t.same(startsAndHalts(failOn(scheduler, first, "a", 1)), []);
  t.equal(findHalt(scheduler.handle({ type: "allJoined" }, 20))?.rule, "alike");
});

t.test("a resumed run that has results is not on trial", async (t) => {
  const scheduler = new Scheduler(createJob(), sequentialIds(), { done: [[0n, 1n]], committedChunks: 1 });
  const first = openRun(scheduler, [["a", 4]]);
  const out = first.flatMap((one) => failAs(scheduler, one, {}, 1));
  t.equal(findHalt(out), undefined);
  t.equal(startedAttempts(out).length, 4);
});

t.test("failures on a sick slot do not count", async (t) => {
  const scheduler = new Scheduler(createJob(), sequentialIds());
  const first = openRun(scheduler, [["a", 3]]);
  for (const { node, slot } of first.slice(0, 2))
    scheduler.handle({ type: "slotSick", node, slot, reason: "lost", evict: false, lasting: true }, 1);
  t.equal(findHalt(first.flatMap((one) => failAs(scheduler, one, {}, 2))), undefined);
});

/** Plays a job whose chunks with these numbers fail; each has one try. Returns the reason of the halt. */
function play(halt: Job["halt"], fails: (index: number) => boolean): HaltReason | undefined {
  const job = createJob({ halt, retry: { attempts: 1, backoff: 0 } });
  const scheduler = new Scheduler(job, sequentialIds());
  const waiting = openRun(scheduler, [["a", 1]]);
  for (let now = 1; now < 3000; now++) {
    const attempt = waiting.shift();
    if (attempt === undefined) return undefined;
    const isFailing = fails(Number(attempt.chunk.start));
    const out = isFailing ? failAs(scheduler, attempt, {}, now) : succeed(scheduler, attempt, now);
    const found = findHalt(out);
    if (found !== undefined) return found;
    waiting.push(...startedAttempts(out));
  }
  return undefined;
}

t.test("a share or a number of failed chunks stops a run", async (t) => {
  const tenth = { numerator: 10n, denominator: 100n };
  const every = (count: number) => (index: number) => index % count === count - 1;
  t.equal(play({ alike: 3 }, every(5)), undefined, "no limit");
  t.equal(play({ alike: 3, failures: tenth }, every(11)), undefined, "fewer than the limit");
  const { reason, rule } = play({ alike: 3, failures: tenth }, every(5))!;
  t.equal(rule, "failures");
  t.equal(reason, "4 of 20 chunks failed, and `halt.failures` of the job is 10 %", "judged once 20 have ended");
  t.match(play({ alike: 3, failures: { count: 7n } }, every(5)), { reason: /^7 of 35 chunks failed.* is 7$/ });
});

t.test("earlier sessions count for the share of failed chunks", async (t) => {
  const job = createJob({ halt: { alike: 3, failures: { numerator: 10n, denominator: 100n } }, ...ONE_TRY });
  const scheduler = new Scheduler(job, sequentialIds(), { done: [[0n, 800n]], committedChunks: 800 });
  const { halt } = failAll(scheduler, openRun(scheduler, [["a", 1]]));
  t.equal(halt?.reason, "89 of 889 chunks failed, and `halt.failures` of the job is 10 %");
});

t.test("a run in which nothing succeeds stops, however its chunks fail", async (t) => {
  for (const attempts of [1, 3]) {
    const scheduler = new Scheduler(createJob({ retry: { attempts, backoff: 1 } }), sequentialIds());
    const waiting = openRun(scheduler, [["a", 6]]);
    let halt: HaltReason | undefined;
    let count = waiting.length;
    for (let now = 1; halt === undefined && now < 300; now++) {
      const attempt = waiting.shift();
      const word = String.fromCharCode(97 + (now % 26), 97 + Math.floor(now / 26));
      const out =
        attempt === undefined
          ? scheduler.handle({ type: "tick" }, now)
          : failAs(scheduler, attempt, { reason: `cannot ${word}` }, now);
      halt = findHalt(out);
      const started = startedAttempts(out);
      count += started.length;
      waiting.push(...started);
    }
    t.match(halt?.reason, /^2\d different chunks failed, and none has succeeded$/);
    t.ok(count <= 30, `${count} attempts`);
  }
});

t.test("property: a run either ends with every unit once, or halts with none twice", async (t) => {
  const seen = { end: 0, halt: 0 };
  const choices = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 50, maxLength: 400 });
  const ranges = fc.integer({ min: 1, max: 400 }).map((units) => rangeJob(BigInt(units), { halt: DEFAULT }));
  const task = fc.record({ gpu: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 6 }) });
  const lists = fc.array(task, { minLength: 1, maxLength: 60 }).map((tasks) => taskJob(tasks, { halt: DEFAULT }));
  const jobs = fc.oneof(ranges, lists);
  fc.assert(
    fc.property(jobs, choices, (job, list) => {
      const run = new RandomRun(job, 1);
      for (const choice of list) if (!run.hasEnded) run.step(choice);
      run.calm();
      const { outcome } = run;
      const [ends, halts] = [outcome.count("end"), outcome.count("halt")];
      seen.end += ends;
      seen.halt += halts;
      const isOnce = [...outcome.covered.values()].every((times) => times === 1);
      return ends + halts === 1 && isOnce && (halts === 1 || outcome.covered.size === Number(job.units));
    }),
    // About one run in a hundred halts.
    { numRuns: 2000 },
  );
  t.ok(seen.end > 0 && seen.halt > 0, JSON.stringify(seen));
});
