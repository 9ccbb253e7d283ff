import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { openRun, rangeJob, singleUnits, slots, startedAttempts } from "../schedulefixture.js";

const drain = (more: { reason?: string | undefined; evict?: boolean } = {}) =>
  ({ type: "nodeDrained", node: "a", reason: "drained (new fans)", evict: false, ...more }) as const;
const listDone = (out: Instruction[], what: Instruction["do"]) => out.filter((one) => one.do === what);

t.test("a drained node gets no new chunks, what is queued there moves, and what runs there finishes", async (t) => {
  const scheduler = new Scheduler(rangeJob(300n, singleUnits), sequentialIds());
  const first = openRun(scheduler, [
    ["a", 1],
    ["b", 1],
  ]);
  for (const { id } of first) scheduler.handle({ type: "started", attempt: id }, 0);
  const ran = first.find(({ node }) => node === "a")!;
  // After a short chunk, slots hold several: the others are queued behind the running one.
  const more = startedAttempts(scheduler.handle({ type: "finished", attempt: ran.id, seconds: 0.1 }, 0));
  const [running, ...queued] = more.filter(({ node }) => node === "a");
  scheduler.handle({ type: "started", attempt: running!.id }, 0);
  t.ok(queued.length > 0);

  const out = scheduler.handle(drain(), 1);
  t.same(listDone(out, "withdraw"), [{ do: "withdraw", node: "a", ids: queued.map(({ id }) => id) }]);
  t.same(listDone(out, "evict"), [], "what runs there goes on");
  const after = queued.flatMap(({ id }) => scheduler.handle({ type: "requeued", attempt: id }, 2));
  after.push(...scheduler.handle({ type: "finished", attempt: running!.id, seconds: 0.1 }, 3));
  t.ok(startedAttempts(after).every(({ node }) => node === "b"));
  t.equal(scheduler.view.usableSlots, 1);
  const back = startedAttempts(scheduler.handle(drain({ reason: undefined }), 4));
  t.ok(back.length > 0 && back.every(({ node }) => node === "a"), "the drain has ended");
});

t.test("a node that is drained before it joins gets no chunk, and the run waits for it", async (t) => {
  const scheduler = new Scheduler(rangeJob(4n, singleUnits), sequentialIds());
  scheduler.handle(drain(), 0);
  const joined = { type: "nodeJoined", node: "a", slots: slots("a", 2, 100), limit: 2, held: [] } as const;
  const out = [
    ...scheduler.handle({ type: "dispatchOpened" }, 0),
    ...scheduler.handle(joined, 0),
    ...scheduler.handle({ type: "allJoined" }, 0),
  ];
  t.same(startedAttempts(out), []);
  t.match(listDone(out, "stuck"), [{ reasons: ["a slots 0-1: its node is drained (new fans)"] }]);
  t.same([...listDone(out, "end"), ...listDone(out, "give-up")], []);
  t.same(startedAttempts(scheduler.handle(joined, 2)), [], "nor after it has joined again");
  t.equal(startedAttempts(scheduler.handle(drain({ reason: undefined }), 3)).length, 2);
});

t.test("what runs on a node that is to be empty is ended, and runs elsewhere without using up a try", async (t) => {
  const once = { ...singleUnits, retry: { attempts: 1, backoff: 1 } };
  const scheduler = new Scheduler(rangeJob(1n, once), sequentialIds());
  const [only] = openRun(scheduler, [["a", 1]]);
  scheduler.handle({ type: "started", attempt: only!.id }, 0);
  t.same(listDone(scheduler.handle(drain({ evict: true }), 1), "evict"), [{ do: "evict", node: "a", ids: [only!.id] }]);
  t.same(startedAttempts(scheduler.handle({ type: "requeued", attempt: only!.id }, 2)), []);
  const joined = { type: "nodeJoined", node: "b", slots: slots("b", 1, 100), limit: 1, held: [] } as const;
  t.match(startedAttempts(scheduler.handle(joined, 3)), [{ node: "b", chunk: { id: only!.chunk.id } }]);
  const held = [{ id: "x", chunk: "0-1", slot: 0, state: "running" as const }];
  const strange = scheduler.handle({ type: "nodeJoined", node: "a", slots: slots("a", 1, 100), limit: 1, held }, 4);
  t.match(listDone(strange, "drop"), [{ id: "x" }], "an attempt whose chunk is elsewhere is dropped as ever");
});

t.test("an attempt that a node held when it joined is ended, too", async (t) => {
  const scheduler = new Scheduler(rangeJob(2n, singleUnits), sequentialIds());
  scheduler.handle(drain({ evict: true }), 0);
  const held = [{ id: "x", chunk: "0-1", slot: 0, state: "running" as const }];
  const out = scheduler.handle({ type: "nodeJoined", node: "a", slots: slots("a", 1, 100), limit: 1, held }, 1);
  t.same(listDone(out, "evict"), [{ do: "evict", node: "a", ids: ["x"] }]);
});
