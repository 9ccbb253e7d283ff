import t from "tap";
import { sequentialIds } from "../../../executor/schedule/attempts/attemptids.js";
import type { Attempt } from "../../../executor/schedule/events.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";
import { openRun, startedAttempts, taskJob } from "./schedulefixture.js";

/**
 * Starts four tasks on two nodes of two GPUs. On each node the first one runs, and the second one of `a` waits for memory.
 */
function waiting(): { scheduler: Scheduler; waits: Attempt; others: Attempt[] } {
  const scheduler = new Scheduler(taskJob([{}, {}, {}, {}]), sequentialIds());
  const first = openRun(scheduler, [
    ["a", 2],
    ["b", 2],
  ]);
  const waits = first.find(({ node, slot }) => node === "a" && slot === 1)!;
  const others = first.filter(({ node }) => node === "b");
  for (const one of first) if (one !== waits) scheduler.handle({ type: "started", attempt: one.id }, 0);
  scheduler.handle({ type: "memoryPressure", node: "a", slots: [1] }, 1);
  return { scheduler, waits, others };
}

t.test("a chunk that waits for memory moves to an idle slot of another node, and not back", async (t) => {
  const { scheduler, waits, others } = waiting();
  const out = scheduler.handle({ type: "finished", attempt: others[0]!.id, seconds: 2 }, 2);
  t.match(
    out.filter((one) => one.do !== "wake"),
    [{ do: "withdraw", node: "a", ids: [waits.id] }],
  );
  const again = startedAttempts(scheduler.handle({ type: "requeued", attempt: waits.id }, 2));
  t.match(again, [{ node: "b", slot: others[0]!.slot, chunk: { id: waits.chunk.id } }]);
});

t.test("a waiting chunk stays while no other slot is idle, or the other node is short of memory, too", async (t) => {
  const { scheduler, waits, others } = waiting();
  scheduler.handle({ type: "memoryPressure", node: "b", slots: [others[1]!.slot] }, 2);
  const out = scheduler.handle({ type: "finished", attempt: others[0]!.id, seconds: 2 }, 3);
  t.notOk(out.some((one) => one.do === "withdraw" && one.ids.includes(waits.id)));
});

t.test("a requeued chunk does not go back to a node that is short of memory", async (t) => {
  const { scheduler, waits, others } = waiting();
  scheduler.handle({ type: "finished", attempt: others[0]!.id, seconds: 2 }, 2);
  scheduler.handle({ type: "nodeLost", node: "b" }, 2);
  const late = startedAttempts(scheduler.handle({ type: "requeued", attempt: waits.id }, 2));
  t.notOk(
    late.some(({ chunk }) => chunk.id === waits.chunk.id),
    "slot 1 of a is free, but its node is short of memory",
  );
  const then = startedAttempts([
    ...scheduler.handle({ type: "memoryPressure", node: "a", slots: [] }, 3),
    ...scheduler.handle({ type: "tick" }, 3),
  ]);
  t.match([...late, ...then].map(({ node }) => node).at(-1), "a");
});
