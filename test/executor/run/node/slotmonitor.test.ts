import t from "tap";
import type { AgentCommand } from "../../../../executor/run/agent/protocol.js";
import { hasGpusToCheck, type SlotEvent, SlotMonitor } from "../../../../executor/run/node/slotmonitor.js";
import type { Slot } from "../../../../executor/schedule/events.js";
import type { Node } from "../../../../fleet/node.js";

const SLOTS: Slot[] = [0, 1].map((slot) => ({ node: "rig", slot, gpu: slot }));

/** A monitor of a node with two AMD GPUs, with what it sends and emits. */
function createMonitor(gpuCheckSeconds: number) {
  const node = { name: "rig", profile: { vendor: "amd" }, gpus: 2, gpuCheckSeconds } as unknown as Node;
  const sent: AgentCommand[] = [];
  const events: SlotEvent[] = [];
  const monitor = new SlotMonitor(
    node,
    (command) => sent.push(command),
    (event) => events.push(event),
  );
  return { node, monitor, sent, events };
}

t.test("slots that the agent finds sick: reported once, until they last or recover", async (t) => {
  const { monitor, events } = createMonitor(0);
  monitor.start(SLOTS);
  const report = (lasting: boolean, ...slots: number[]) =>
    monitor.handleMessage({ ev: "cards", sick: slots.map((slot) => ({ slot, reason: "GPU a: lost", lasting })) });
  report(false, 0);
  report(false, 0);
  report(true, 0);
  report(false, 7);
  t.same(events.splice(0), [
    { type: "slotSick", slot: 0, reason: "GPU a: lost", lasting: false, isNew: true, evict: false },
    { type: "slotSick", slot: 0, reason: "GPU a: lost", lasting: true, isNew: false, evict: false },
    { type: "slotRecovered", slot: 0 },
  ]);
});

t.test(
  "a node is hopeless when each slot is broken or lastingly sick; attaching again repairs broken slots",
  async (t) => {
    const { monitor, events } = createMonitor(0);
    monitor.start(SLOTS);
    monitor.handleMessage({ ev: "broken", slot: 0, reason: "cannot be locked" });
    monitor.handleMessage({ ev: "cards", sick: [{ slot: 1, reason: "GPU b: lost", lasting: false }] });
    t.notOk(monitor.isHopeless);
    monitor.handleMessage({ ev: "cards", sick: [{ slot: 1, reason: "GPU b: lost", lasting: true }] });
    t.ok(monitor.isHopeless);
    monitor.start(SLOTS);
    t.notOk(monitor.isHopeless);
    t.match(events[0], { type: "slotBroken", slot: 0, reason: "cannot be locked" });
  },
);

t.test("messages about GPUs of other runs and about memory become events", async (t) => {
  const { monitor, events } = createMonitor(0);
  monitor.start(SLOTS);
  monitor.handleMessage({ ev: "slot", slot: 0, holder: "sieve" });
  monitor.handleMessage({ ev: "slot", slot: 0, holder: "uid 1001, pid 4711", foreign: true });
  monitor.handleMessage({ ev: "slot", slot: 0 });
  monitor.handleMessage({ ev: "memory", waiting: [0, 1] });
  t.equal(monitor.memoryWaitingSlots, 2);
  monitor.stop();
  monitor.handleMessage({ ev: "memory", waiting: [] });
  t.same(events, [
    { type: "slotHeld", slot: 0, holder: "run sieve" },
    { type: "slotHeld", slot: 0, holder: "uid 1001, pid 4711" },
    { type: "slotHeld", slot: 0, holder: undefined },
    { type: "memoryPressure", slots: [0, 1] },
  ]);
});

t.test("the first check is quick; tools that do not answer hold nobody up and are reported once", async (t) => {
  const { node, monitor, sent, events } = createMonitor(60);
  t.ok(hasGpusToCheck(node, SLOTS));
  t.notOk(hasGpusToCheck(node, [{ node: "rig", slot: 0 }]), "CPU slots need no check");
  monitor.start(SLOTS);
  t.match(sent.splice(0), [{ op: "look", seconds: 3 }]);
  monitor.handleMessage({ ev: "looked", answers: [] });
  t.same(sent.splice(0), [{ op: "examined" }]);
  monitor.handleMessage({ ev: "looked", answers: [] });
  t.same(sent, []);
  t.same(events, [{ type: "gpuCheckFailed", reason: "no answer" }]);
  monitor.stop();
});
