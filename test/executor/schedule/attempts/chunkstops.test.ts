import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { failureOf, openRun, slots, startedAttempts, taskJob } from "../schedulefixture.js";

const stop = (chunk: string) => ({ type: "stopRequested", chunk }) as const;
const pick = (out: Instruction[], ...kinds: Instruction["do"][]) => out.filter((one) => kinds.includes(one.do));
const holds = (chunk: string, id: string) =>
  ({
    type: "nodeJoined",
    node: "a",
    slots: slots("a", 1),
    limit: 1,
    held: [{ id, chunk, slot: 0, state: "running" }],
  }) as const;

t.test("a running chunk is ended, its result is collected, and nothing is learned of how long it took", async (t) => {
  const scheduler = new Scheduler(taskJob([{}, {}]), sequentialIds());
  const [first] = openRun(scheduler, [["a", 1]]);
  scheduler.handle({ type: "started", attempt: first!.id }, 0);
  const out = scheduler.handle(stop(first!.chunk.id), 1);
  t.same(pick(out, "stop"), [{ do: "stop", node: "a", ids: [first!.id] }]);
  t.same(pick(scheduler.handle(stop(first!.chunk.id), 1), "stop"), [], "once");
  const next = scheduler.handle({ type: "stopped", attempt: first!.id }, 2);
  t.equal(startedAttempts(next).length, 1, "its slot is free");
  scheduler.handle({ type: "committed", attempt: first!.id }, 3);
  t.notOk(scheduler.stops.isWanted(first!.chunk.id));
  const [second] = startedAttempts(next);
  scheduler.handle({ type: "started", attempt: second!.id }, 3);
  scheduler.handle({ type: "finished", attempt: second!.id, seconds: 1 }, 4);
  t.match(scheduler.handle({ type: "committed", attempt: second!.id }, 4), [{ do: "end" }]);
});

t.test("a chunk that waits is committed without running, and the run ends", async (t) => {
  const scheduler = new Scheduler(taskJob([{}, {}]), sequentialIds());
  scheduler.handle(stop("t1"), 0);
  const started = openRun(scheduler, [["a", 1]]);
  t.same(
    started.map(({ chunk }) => chunk.id),
    ["t0"],
  );
  scheduler.handle({ type: "started", attempt: started[0]!.id }, 0);
  const out = scheduler.handle(stop("t0"), 1);
  t.same(pick(out, "commit-stopped"), []);
  const after = scheduler.handle({ type: "requeued", attempt: started[0]!.id }, 2);
  t.match(pick(after, "commit-stopped", "start", "end"), [
    { do: "commit-stopped", chunk: { id: "t0" } },
    { do: "end" },
  ]);
});

t.test("a chunk that waits for its next try is not tried again", async (t) => {
  const scheduler = new Scheduler(taskJob([{}]), sequentialIds());
  const [first] = openRun(scheduler, [["a", 1]]);
  scheduler.handle({ type: "started", attempt: first!.id }, 0);
  scheduler.handle({ type: "failed", attempt: first!.id, failure: failureOf(first!) }, 1);
  const out = scheduler.handle(stop("t0"), 1);
  t.match(pick(out, "commit-stopped", "end"), [{ do: "commit-stopped", chunk: { id: "t0" } }, { do: "end" }]);
});

t.test("after a restart, the attempt that a node still holds is ended; without one, nothing runs", async (t) => {
  const held = new Scheduler(taskJob([{}]), sequentialIds());
  held.handle(stop("t0"), 0);
  held.handle({ type: "dispatchOpened" }, 0);
  const joined = held.handle(holds("t0", "earlier"), 0);
  t.same(pick(joined, "stop", "start", "drop", "end"), [{ do: "stop", node: "a", ids: ["earlier"] }]);
  t.same(pick(held.handle({ type: "allJoined" }, 0), "commit-stopped", "end"), []);
  held.handle({ type: "stopped", attempt: "earlier" }, 1);
  t.match(held.handle({ type: "committed", attempt: "earlier" }, 1), [{ do: "end" }]);

  const gone = new Scheduler(taskJob([{}]), sequentialIds());
  gone.handle(stop("t0"), 0);
  gone.handle({ type: "dispatchOpened" }, 0);
  t.same(pick(gone.handle({ ...holds("t0", "x"), held: [] }, 0), "start", "end", "commit-stopped"), []);
  const end = gone.handle({ type: "allJoined" }, 0);
  t.match(pick(end, "start", "commit-stopped", "end"), [{ do: "commit-stopped", number: 0 }, { do: "end" }]);
});

t.test(
  "a chunk whose node is lost while it is to end is committed without outputs, and not computed elsewhere",
  async (t) => {
    const scheduler = new Scheduler(taskJob([{}]), sequentialIds());
    const [first] = openRun(scheduler, [
      ["a", 1],
      ["b", 1],
    ]);
    scheduler.handle({ type: "started", attempt: first!.id }, 0);
    scheduler.handle(stop("t0"), 1);
    scheduler.handle({ type: "nodeDisconnected", node: first!.node }, 1);
    const out = scheduler.handle({ type: "nodeLost", node: first!.node }, 2);
    t.match(pick(out, "start", "commit-stopped", "end"), [{ do: "commit-stopped" }, { do: "end" }]);
  },
);
