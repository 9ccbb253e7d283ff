import t from "tap";
import type { Chunk, ChunkSpec } from "../../../executor/job/job.js";
import { sequentialIds } from "../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Instruction } from "../../../executor/schedule/events.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";
import { failureOf, openRun, rangeJob, slots, startedAttempts } from "./schedulefixture.js";

/** Chunks of ten units. */
const wholeChunk = { sizing: { by: "rate", base: 10, min: 10, max: 50 } } as const;
const work: ChunkSpec = { program: { kind: "command", command: ["true"] }, args: [], inputs: [], outputs: [], env: {} };

t.test("a slot six times as fast gets chunks six times as large, within the limits", async (t) => {
  const expected = new Map([
    ["fast", { slots: slots("fast", 1, 29000) }],
    ["slow", { slots: slots("slow", 1, 5000) }],
  ]);
  const scheduler = new Scheduler(
    rangeJob(100_000n, { sizing: { by: "rate", base: 1000, min: 500, max: 5500 } }),
    sequentialIds(),
    { expected },
  );
  const first = openRun(scheduler, [
    ["fast", 1, 29000],
    ["slow", 1, 5000],
  ]);
  t.same(
    first.map((attempt) => [attempt.node, attempt.chunk.end - attempt.chunk.start]),
    [
      ["fast", 5500n],
      ["slow", 1000n],
    ],
  );
});

t.test("a failed chunk is retried after 1, 2, ... s, on another slot if there is one, and then given up", async (t) => {
  const scheduler = new Scheduler(rangeJob(10n, wholeChunk), sequentialIds());
  let [attempt] = openRun(scheduler, [["n", 2]]);
  const seen: [number, number][] = [];
  let out: Instruction[] = [];
  for (let now = 0; ; ) {
    seen.push([attempt!.number, attempt!.slot]);
    out = scheduler.handle({ type: "failed", attempt: attempt!.id, failure: failureOf(attempt!) }, now);
    const wake = out.find((one) => one.do === "wake");
    if (wake === undefined) break;
    t.same(startedAttempts(scheduler.handle({ type: "tick" }, wake.at - 0.01)), [], "not before its time");
    now = wake.at;
    [attempt] = startedAttempts(scheduler.handle({ type: "tick" }, now));
  }
  t.same(seen, [
    [1, 0],
    [2, 1],
    [3, 0],
  ]);
  t.same(
    out.map((one) => one.do),
    ["give-up", "end"],
  );
});

t.test("a chunk whose result cannot be published is given up at once", async (t) => {
  const scheduler = new Scheduler(rangeJob(10n, wholeChunk), sequentialIds());
  const [attempt] = openRun(scheduler, [["n", 2]]);
  const out = scheduler.handle({ type: "refused", attempt: attempt!.id, failure: failureOf(attempt!) }, 1);
  t.same(
    out.map((one) => one.do),
    ["give-up", "end"],
  );
});

t.test("a node that rejoins keeps a chunk that was not started elsewhere, and drops it otherwise", async (t) => {
  const scheduler = new Scheduler(rangeJob(10n, { sizing: { by: "rate", base: 5, min: 5, max: 5 } }), sequentialIds());
  const [first, second] = openRun(scheduler, [
    ["a", 1],
    ["b", 1],
  ]) as [Attempt, Attempt];
  const held = ({ id, chunk, slot }: Attempt) => ({ id, chunk: chunk.id, slot });
  const back = (attempt: Attempt, now: number) => {
    const node = attempt.node;
    return scheduler.handle({ type: "nodeJoined", node, slots: slots(node, 1), limit: 1, held: [held(attempt)] }, now);
  };
  for (const { node } of [first, second]) scheduler.handle({ type: "nodeLost", node }, 1);
  t.same(back(first, 2), [], "nothing is stopped, and nothing started");
  t.ok(scheduler.isRunning(first.id), "its own goes on");
  const other = scheduler.handle({ type: "nodeJoined", node: "c", slots: slots("c", 1), limit: 1, held: [] }, 2);
  t.equal(startedAttempts(other)[0]?.chunk.id, second.chunk.id);
  t.same(
    back(second, 3).filter((one) => one.do === "drop"),
    [{ do: "drop", node: second.node, id: second.id }],
    "the other chunk was started elsewhere meanwhile",
  );
  t.notOk(scheduler.isRunning(second.id));
  t.end();
});

t.test("the chunks of a lost node are queued again without using up a try", async (t) => {
  const scheduler = new Scheduler(rangeJob(10n, wholeChunk), sequentialIds());
  const [attempt] = openRun(scheduler, [["a", 1]]);
  t.same(startedAttempts(scheduler.handle({ type: "nodeDisconnected", node: "a" }, 1)), [], "silent is not gone");
  scheduler.handle({ type: "nodeJoined", node: "b", slots: slots("b", 1), limit: 1, held: [] }, 1);
  const [again] = startedAttempts(scheduler.handle({ type: "nodeLost", node: "a" }, 2));
  t.equal(again?.chunk.id, attempt?.chunk.id);
  t.equal(again?.node, "b");
  t.equal(again?.number, 1);
  const back = scheduler.handle(
    {
      type: "nodeJoined",
      node: "a",
      slots: slots("a", 1),
      limit: 1,
      held: [{ id: attempt!.id, chunk: attempt!.chunk.id, slot: 0 }],
    },
    3,
  );
  t.match(back, [{ do: "drop", node: "a", id: attempt!.id }], "what it still runs is dropped");
});

t.test("a new coordinator adopts the attempts that nodes still hold", async (t) => {
  const scheduler = new Scheduler(rangeJob(30n, wholeChunk), sequentialIds(), { done: [[0n, 10n]] });
  const held = [{ id: "1-7", chunk: "10-20", slot: 0 }];
  scheduler.handle({ type: "nodeJoined", node: "a", slots: slots("a", 2), limit: 2, held }, 0);
  const out = [...scheduler.handle({ type: "dispatchOpened" }, 0), ...scheduler.handle({ type: "allJoined" }, 0)];
  t.same(
    startedAttempts(out).map((attempt) => attempt.chunk.id),
    ["20-30"],
  );
  t.equal(scheduler.isRunning("1-7"), true);
});

t.test("a run that is stuck reports the reason for each slot, once", async (t) => {
  const scheduler = new Scheduler(rangeJob(10n, wholeChunk), sequentialIds());
  const [attempt] = openRun(scheduler, [["a", 2]]);
  const out = [0, 1].flatMap((slot) => scheduler.handle({ type: "slotHeld", node: "a", slot, holder: "run b" }, 1));
  t.notOk(
    out.some((one) => one.do === "stuck"),
    "one attempt is still in flight",
  );
  const stuck = scheduler.handle({ type: "requeued", attempt: attempt!.id }, 2).filter((one) => one.do === "stuck");
  t.same(stuck, [{ do: "stuck", reasons: ["a slots 0-1: run b holds it"] }]);
  const broken = scheduler.handle({ type: "slotBroken", node: "a", slot: 0, reason: "a process does not die" }, 2);
  t.match(broken, [{ reasons: ["a slot 0: it is out of use: a process does not die", "a slot 1: run b holds it"] }]);
  t.notOk(scheduler.handle({ type: "tick" }, 3).some((one) => one.do === "stuck"));
  t.equal(startedAttempts(scheduler.handle({ type: "slotHeld", node: "a", slot: 1 }, 4)).length, 1);
});

t.test("a chunk pinned to a GPU that no node has is given up with the reason", async (t) => {
  const chunk = (start: bigint): Chunk => ({
    id: `t${start}`,
    start,
    end: start + 1n,
    gpu: Number(start) * 9,
    spec: work,
  });
  const scheduler = new Scheduler(rangeJob(2n, { kind: "tasks", sizing: undefined, chunk }), sequentialIds());
  const [attempt] = openRun(scheduler, [["a", 2]]);
  t.equal(attempt?.slot, 0);
  scheduler.handle({ type: "finished", attempt: attempt!.id, seconds: 1 }, 1);
  const out = scheduler.handle({ type: "committed", attempt: attempt!.id }, 1);
  t.match(out, [{ do: "give-up", failure: { chunk: "t1", reason: /gpu 9/ } }, { do: "end" }]);
});

t.test("chunks queued on one slot do not keep the node's other slots from the last chunks", async (t) => {
  const scheduler = new Scheduler(rangeJob(20n, { sizing: { by: "rate", base: 1, min: 1, max: 1 } }), sequentialIds());
  const running = openRun(scheduler, [["a", 3]]);
  for (let turn = 0; turn < 100; turn++) {
    const attempt = running.find((one) => one.slot !== 0);
    if (attempt === undefined) break;
    running.splice(running.indexOf(attempt), 1);
    running.push(
      ...startedAttempts(scheduler.handle({ type: "finished", attempt: attempt.id, seconds: 0.1 }, turn / 10)),
    );
  }
  t.equal(scheduler.unassignedUnits, 0n);
});
