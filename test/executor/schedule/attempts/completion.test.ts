import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Event, Instruction } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { slots, startedAttempts, taskJob } from "../schedulefixture.js";

const place = { node: "a", slot: 1 };
const sick = { type: "slotSick", ...place, reason: "no clocks", evict: false, lasting: false } as const;

/** Returns what happens to a task pinned to the second of two GPUs after this event on that GPU. */
function pinned(...events: Event[]): { out: Instruction[]; scheduler: Scheduler } {
  const scheduler = new Scheduler(taskJob([{ gpu: 1 }]), sequentialIds());
  scheduler.handle({ type: "nodeJoined", node: "a", slots: slots("a", 2), limit: 2, held: [] }, 0);
  for (const event of events) scheduler.handle(event, 0);
  scheduler.handle({ type: "dispatchOpened" }, 1);
  return { out: scheduler.handle({ type: "allJoined" }, 1), scheduler };
}
const not = "the chunk is pinned to gpu 1, and this is another one";

const WAITED_FOR: [what: string, event: Event, reason: string][] = [
  ["a run that holds its GPU", { type: "slotHeld", ...place, holder: "run b" }, "a slot 1: run b holds it"],
  ["a card that may get well", sick, "a slot 1: it is sick: no clocks"],
];
for (const [what, event, reason] of WAITED_FOR)
  t.test(`waits and reports: ${what}`, async (t) => {
    t.match(pinned(event).out, [{ do: "stuck", reasons: [`a slot 0: ${not}`, reason] }]);
  });

const GIVEN_UP: [what: string, event: Event, reason: string][] = [
  [
    "a broken slot",
    { type: "slotBroken", ...place, reason: "a process does not die" },
    "it is out of use: a process does not die",
  ],
  ["a card that stays sick", { ...sick, lasting: true }, "it is sick: no clocks"],
];
for (const [what, event, reason] of GIVEN_UP)
  t.test(`gives up: ${what}`, async (t) => {
    const why = `no slot fits:\n    a slot 0: ${not}\n    a slot 1: ${reason}`;
    t.match(pinned(event).out, [{ do: "give-up", failure: { chunk: "t0", reason: why } }, { do: "end" }]);
  });

t.test("uses a GPU that the other run releases", async (t) => {
  const { scheduler } = pinned({ type: "slotHeld", ...place, holder: "run b" });
  t.match(startedAttempts(scheduler.handle({ type: "slotHeld", ...place }, 2)), [{ slot: 1, chunk: { id: "t0" } }]);
});

t.test("gives no chunk up if no slot at all is usable", async (t) => {
  const both = [0, 1].map((slot): Event => ({ type: "slotBroken", node: "a", slot, reason: "no disk" }));
  t.match(pinned(...both).out, [{ do: "stuck" }]);
});

t.test("waits for a disconnected node and reports it", async (t) => {
  t.match(pinned({ type: "nodeDisconnected", node: "a" }).out, [
    { do: "stuck", reasons: ["a slots 0-1: its node is disconnected"] },
  ]);
});
