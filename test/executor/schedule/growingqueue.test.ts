import fc from "fast-check";
import t from "tap";
import type { Chunk, Job } from "../../../executor/job/job.js";
import type { JobQueue } from "../../../executor/job/queue/jobqueue.js";
import { sequentialIds } from "../../../executor/schedule/attempts/attemptids.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";
import { RandomRun } from "./randomrun.js";
import { openRun, runs, slots, startedAttempts, taskJob } from "./schedulefixture.js";

/** A queue that has accepted the first `accepted` of some tasks. */
class GrowingQueue implements JobQueue {
  isOpen = true;
  constructor(public accepted: bigint) {}
  read(): never {
    throw new Error("nothing is read");
  }
  accept(): never {
    throw new Error("tasks are accepted by number");
  }
  setCancelled(): void {}
  close(): void {
    this.isOpen = false;
  }
}

function queueJob(tasks: Partial<Chunk>[], accepted: number): { job: Job; queue: GrowingQueue } {
  const queue = new GrowingQueue(BigInt(accepted));
  return { queue, job: taskJob(tasks, { kind: "queue", queue }) };
}

const task = fc.record({
  expectedSeconds: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  priority: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
  gpu: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 6 }),
  spec: fc.constantFrom("a", "b").map((program) => runs(program).spec),
});

t.test(
  "property: a queue that grows, and whose tasks are cancelled: every task ends once, and the run ends after it is closed",
  async (t) => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.array(task, { minLength: 1, maxLength: 100 }),
        fc.integer({ min: 0, max: 10 }),
        fc.array(fc.integer({ min: 0, max: 129 }), { minLength: 50, maxLength: 400 }),
        (tasks, first, choices) => {
          const { job, queue } = queueJob(tasks, Math.min(first, tasks.length));
          const run = new RandomRun(job, 60);
          const grow = (count: number) => {
            const [start, end] = [queue.accepted, BigInt(Math.min(tasks.length, Number(queue.accepted) + count))];
            queue.accepted = end;
            if (start < end) run.send({ type: "unitsAdded", start, end });
          };
          for (const choice of choices) {
            if (run.hasEnded) return false;
            if (choice < 100) run.step(choice);
            else if (choice < 115) grow(choice - 99);
            else if (queue.accepted > 0n)
              run.send({ type: "unitCancelled", unit: BigInt(choice * 7) % queue.accepted });
          }
          grow(tasks.length);
          queue.close();
          run.send({ type: "queueClosed" });
          run.calm();
          const { outcome } = run;
          for (const [what, count] of outcome.counts) seen.set(what, (seen.get(what) ?? 0) + count);
          const once = [...outcome.covered.values()].every((times) => times === 1);
          return outcome.count("end") === 1 && once && outcome.mute === 0 && outcome.covered.size === tasks.length;
        },
      ),
      { numRuns: 400 },
    );
    for (const one of ["cancel", "withdraw", "give-up", "evict"])
      t.ok((seen.get(one) ?? 0) > 0, `${one}: ${seen.get(one)} times`);
  },
);

t.test("tasks start by priority, and then in the order in which they were accepted", async (t) => {
  const priorities = [0, 0, 5, 0, 5, -1];
  const { job, queue } = queueJob(
    priorities.map((priority) => ({ priority })),
    3,
  );
  const scheduler = new Scheduler(job, sequentialIds());
  const order = openRun(scheduler, [["a", 1]]).map(({ chunk }) => chunk.id);
  queue.accepted = 6n;
  scheduler.handle({ type: "unitsAdded", start: 3n, end: 6n }, 1);
  for (let now = 2; order.length < 6; now++) {
    const attempt = scheduler.attempt([...scheduler.view.inFlight()][0]!.attempt.id)!;
    scheduler.handle({ type: "started", attempt: attempt.id }, now);
    const out = scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 40 }, now);
    out.push(...scheduler.handle({ type: "committed", attempt: attempt.id }, now));
    order.push(...startedAttempts(out).map(({ chunk }) => chunk.id));
  }
  t.same(order, ["t2", "t4", "t0", "t1", "t3", "t5"]);
});

t.test("an open queue without work waits without waking up, and keeps nothing of what is done", async (t) => {
  const { job, queue } = queueJob(
    Array.from({ length: 5000 }, () => ({})),
    0,
  );
  const scheduler = new Scheduler(job, sequentialIds());
  t.same(openRun(scheduler, [["a", 2]]), []);
  t.equal(scheduler.isIdle, true);
  t.equal(scheduler.view.secondsPerUnit(), undefined, "nothing is known yet");
  t.same(scheduler.handle({ type: "tick" }, 1), [], "no end, and no wake-up");
  for (let unit = 0n; unit < 5000n; unit++) {
    queue.accepted = unit + 1n;
    const [attempt] = startedAttempts(scheduler.handle({ type: "unitsAdded", start: unit, end: unit + 1n }, 2));
    scheduler.handle({ type: "started", attempt: attempt!.id }, 2);
    scheduler.handle({ type: "finished", attempt: attempt!.id, seconds: 40 }, 3);
    scheduler.handle({ type: "committed", attempt: attempt!.id }, 3);
  }
  t.equal(scheduler.unassignedUnits, 0n);
  t.same(
    scheduler.handle({ type: "queueClosed" }, 4).map((one) => one.do),
    ["end"],
  );
});

t.test(
  "a cancel that comes while a result is collected counts when the node is lost, and not once it is committed",
  async (t) => {
    for (const isLost of [true, false]) {
      const { job } = queueJob([{}], 1);
      const scheduler = new Scheduler(job, sequentialIds());
      const [attempt] = openRun(scheduler, [["a", 1]]);
      const { id } = attempt!;
      scheduler.handle({ type: "started", attempt: id }, 1);
      scheduler.handle({ type: "finished", attempt: id, seconds: 40 }, 2);
      const cancelling = scheduler.handle({ type: "unitCancelled", unit: 0n }, 3).map((one) => one.do);
      t.notOk(cancelling.includes("drop") || cancelling.includes("cancel"), "its result is awaited");
      if (isLost) scheduler.handle({ type: "nodeLost", node: "a" }, 4);
      const out = scheduler.handle({ type: isLost ? "requeued" : "committed", attempt: id }, 4);
      const cancelled = out.flatMap((one) => (one.do === "cancel" ? [one.chunk.id] : []));
      t.same(cancelled, isLost ? ["t0"] : []);
      t.equal(scheduler.isIdle, true);
    }
  },
);

t.test(
  "a task that runs is ended, and cancelled when it comes back; one that ends well by then has its result",
  async (t) => {
    for (const end of ["requeued", "finished"] as const) {
      const { job } = queueJob([{}], 1);
      const scheduler = new Scheduler(job, sequentialIds());
      const [attempt] = openRun(scheduler, [["a", 1]]);
      const { id } = attempt!;
      scheduler.handle({ type: "started", attempt: id }, 1);
      const [evict, ...others] = scheduler.handle({ type: "unitCancelled", unit: 0n }, 2);
      t.same([evict, others], [{ do: "evict", node: "a", ids: [id] }, []]);
      t.same(scheduler.handle({ type: "tick" }, 3), [], "it is ended once");
      const ended = end === "requeued" ? { type: end, attempt: id } : { type: end, attempt: id, seconds: 40 };
      const out = scheduler.handle(ended, 4);
      if (end === "finished") out.push(...scheduler.handle({ type: "committed", attempt: id }, 5));
      t.same(
        out.flatMap((one) => (one.do === "cancel" ? [one.chunk.id] : [])),
        end === "requeued" ? ["t0"] : [],
      );
      t.equal(scheduler.isIdle, true);
    }
  },
);

t.test("a node that comes back is told again that a cancelled task is to end there", async (t) => {
  const { job } = queueJob([{}], 1);
  const scheduler = new Scheduler(job, sequentialIds());
  const [attempt] = openRun(scheduler, [["a", 1]]);
  const { id, chunk } = attempt!;
  scheduler.handle({ type: "started", attempt: id }, 1);
  scheduler.handle({ type: "unitCancelled", unit: 0n }, 2);
  scheduler.handle({ type: "nodeDisconnected", node: "a" }, 3);
  const held = [{ id, chunk: chunk.id, slot: 0 }];
  const out = scheduler.handle({ type: "nodeJoined", node: "a", slots: slots("a", 1), limit: 1, held }, 4);
  t.same(
    out.filter((one) => one.do === "evict"),
    [{ do: "evict", node: "a", ids: [id] }],
  );
});
