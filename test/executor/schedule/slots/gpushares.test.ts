import t from "tap";
import { sequentialIds } from "../../../../executor/schedule/attempts/attemptids.js";
import type { Slot } from "../../../../executor/schedule/events.js";
import { Scheduler } from "../../../../executor/schedule/scheduler.js";
import { countSlotsSeen } from "../../../../executor/schedule/slots/expectednodes.js";
import { countSharers } from "../../../../executor/schedule/slots/gpushares.js";
import { gpuMemoryEnvironment, listAllSlots } from "../../../../executor/schedule/slots/nodeslots.js";
import { rateKey } from "../../../../executor/schedule/slots/slotstate.js";
import { parseInventory } from "../../../../fleet/inventory.js";
import type { Node } from "../../../../fleet/node.js";
import { parseSource } from "../../../../schemas/parsesource.js";
import { catchProblems, formatProblems } from "../../../schemas/problems.js";
import { failureOf, startedAttempts, taskJob } from "../schedulefixture.js";

const GIB = 1024 ** 3;

function readNode(node: string, rest = ""): Node {
  const profiles =
    "profiles: {rtx: {vendor: nvidia, vram: 12GiB, rate: 900, per_gpu: 3}, rx: {vendor: amd, vram: 8GiB, rate: 100}}\n";
  return parseInventory(parseSource("i.yaml", `${rest}${profiles}nodes: {a: ${node}}\n`), "/i.yaml").nodes[0]!;
}

const list = (node: Node, needs: object = {}, gpus = 0) =>
  listAllSlots(node, { cores: 4, gpus }, needs).map(({ slot, gpu, cpu, sharers, rate }) => [
    slot,
    gpu === undefined ? `cpu ${cpu}` : `gpu ${gpu}`,
    sharers,
    rate,
  ]);

t.test("a GPU has as many slots as the job or the inventory says, and as its memory holds", async (t) => {
  const table: [perGpu: number | undefined, vram: number | undefined, needs: object, sharers: number][] = [
    [undefined, undefined, {}, 1],
    [2, 8 * GIB, {}, 2],
    [2, 8 * GIB, { gpuShare: 1 }, 1],
    [undefined, 8 * GIB, { gpuShare: 1 / 3 }, 3],
    [4, 8 * GIB, { vram: 3 * GIB }, 2],
    [4, 8 * GIB, { vram: 2 * GIB }, 4],
    [4, 8 * GIB, { vram: 8 * GIB }, 1],
    [4, 8 * GIB, { vram: 9 * GIB }, 1],
    [4, undefined, { vram: 9 * GIB }, 4],
  ];
  for (const [perGpu, vram, needs, sharers] of table) t.equal(countSharers({ perGpu, vram }, needs), sharers);
});

t.test("further slots of shared GPUs are numbered after all others", async (t) => {
  t.same(list(readNode("{profile: rtx, gpus: 2, slots: 1}")), [
    [0, "gpu 0", 3, 300],
    [1, "gpu 1", 3, 300],
    [2, "cpu 0", undefined, undefined],
    [3, "gpu 0", 3, 300],
    [4, "gpu 1", 3, 300],
    [5, "gpu 0", 3, 300],
    [6, "gpu 1", 3, 300],
  ]);
  t.same(list(readNode("{profile: rtx, per_gpu: 1}"), {}, 2), [
    [0, "gpu 0", undefined, 900],
    [1, "gpu 1", undefined, 900],
  ]);
  t.same(list(readNode("{profile: rx}", "defaults: {per_gpu: 2}\n"), {}, 1), [
    [0, "gpu 0", 2, 50],
    [1, "gpu 0", 2, 50],
  ]);
  t.same(
    list(readNode("{gpus: [{profile: rx, count: 1}, {profile: rtx, count: 1}]}"), { vram: 6 * GIB }),
    [
      [0, "gpu 0", undefined, 100],
      [1, "gpu 1", 2, 450],
      [2, "gpu 1", 2, 450],
    ],
    "each kind has shares of its own",
  );
});

t.test("programs may use their share of the GPU's memory", async (t) => {
  const node = readNode("{profile: rtx, gpus: 1, memory_fraction: 0.9}");
  for (const slot of listAllSlots(node, { cores: 1, gpus: 1 }, {}))
    t.same(gpuMemoryEnvironment(node.profile, slot), {
      MUSTER_GPU_MEMORY: `${Math.floor(12 * GIB * 0.3)}`,
      MUSTER_GPU_MEMORY_FRACTION: "0.3",
    });
});

t.test("a GPU that slots shared in earlier runs counts once, and its rates are kept apart", async (t) => {
  const keys = ["a/0", "a/1", "a/0:3", "a/1:3", "a/4:3", "a/5:3", "a/6:3", "a/7:3", "b/0:2", "b/1:2", "b/2:2", "c:d/0"];
  const slots = new Map(keys.map((key) => [key, { rate: 1, evidence: 1 }]));
  t.same(
    [...countSlotsSeen({ slots })],
    [
      ["a", 2],
      ["b", 2],
      ["c:d", 1],
    ],
  );
  const [whole, shared] = [
    { node: "a", slot: 1 },
    { node: "a", slot: 1, sharers: 2 },
  ];
  t.same([rateKey(whole), rateKey(shared)], ["a/1", "a/1:2"]);
});

t.test("a chunk that failed on a GPU is tried on another one, not on another share of it", async (t) => {
  const all = [0, 1, 2, 3].map((slot): Slot => ({ node: "a", slot, gpu: slot % 2, sharers: 2 }));
  const scheduler = new Scheduler(taskJob([{}, {}, {}, {}]), sequentialIds());
  const send = (event: Parameters<Scheduler["handle"]>[0], now: number) => scheduler.handle(event, now);
  send({ type: "dispatchOpened" }, 0);
  const started = startedAttempts(send({ type: "nodeJoined", node: "a", slots: all, limit: 4, held: [] }, 0));
  const onSlot = (slot: number) => started.find((one) => one.slot === slot)!;
  const finish = (slot: number, now: number) => [
    ...send({ type: "finished", attempt: onSlot(slot).id, seconds: now }, now),
    ...send({ type: "committed", attempt: onSlot(slot).id }, now),
  ];
  send({ type: "failed", attempt: onSlot(0).id, failure: failureOf(onSlot(0)) }, 1);
  finish(2, 2);
  t.same(startedAttempts(send({ type: "tick" }, 100)), [], "it waits for the other GPU");
  t.match(startedAttempts(finish(3, 101)), [{ number: 2, chunk: onSlot(0).chunk, slot: 3 }]);
});

t.test(
  "per_gpu of a node or profile without GPUs is a problem; as a default it is for those that have some",
  async (t) => {
    t.same(formatProblems(catchProblems(() => readNode("{host: b, per_gpu: 2}"))), [
      "2:31 nodes.a.per_gpu: the node has no GPUs",
    ]);
    t.equal(readNode("{host: b}", "defaults: {per_gpu: 2}\n").profile.perGpu, 2);
    t.equal(readNode("{host: b, gpus: 1, per_gpu: 2}").profile.perGpu, 2);
  },
);
