import t from "tap";
import { countThreads, findConcurrencyLimit } from "../../../../executor/schedule/slots/capacity.js";
import { findUnknown, selectSlots } from "../../../../executor/schedule/slots/nodeslots.js";
import { createDefaultNode } from "../../../../fleet/mergenode.js";
import { slots } from "../schedulefixture.js";

t.test("a node's cores are shared by the chunks that run at once", async (t) => {
  type Row = [cores: number | undefined, slots: number, max: number | undefined, needs: number | undefined];
  const table: [Row, limit: number | undefined, threads: number | undefined][] = [
    [[16, 16, undefined, undefined], undefined, 1],
    [[16, 2, undefined, undefined], undefined, 8],
    [[16, 8, 2, undefined], 2, 8],
    [[16, 2, 8, undefined], 8, 8],
    [[6, 8, undefined, undefined], undefined, 1],
    [[7, 3, undefined, undefined], undefined, 2],
    [[16, 16, undefined, 4], 4, 4],
    [[16, 16, 2, 4], 2, 4],
    [[16, 16, 8, 4], 4, 4],
    [[16, 4, undefined, 4], undefined, 4],
    [[7, 8, undefined, 2], 3, 2],
    [[16, 2, undefined, 1], undefined, 1],
    [[undefined, 4, 2, undefined], 2, undefined],
    [[undefined, 4, 2, 3], 2, 3],
  ];
  for (const [[cores, count, maxConcurrent, wanted], limit, threads] of table) {
    const needs = { cores: wanted, playbooks: [] };
    const node = { ...createDefaultNode("a"), maxConcurrent };
    t.equal(
      findConcurrencyLimit(node, count, needs, cores),
      limit,
      `the limit of ${[cores, count, maxConcurrent, wanted]}`,
    );
    const capacity = { slots: slots("a", count), limit };
    t.equal(countThreads(capacity, needs, cores), threads, `threads for ${[cores, count, maxConcurrent, wanted]}`);
  }
});

t.test("a node with fewer cores than a chunk needs is refused, unless they are a guess", async (t) => {
  const node = { ...createDefaultNode("a"), slots: 2 };
  const needs = { cores: 8, playbooks: [] };
  t.equal(findUnknown(node, needs), "machine");
  t.equal(findUnknown(node, { playbooks: [] }), undefined);
  t.same(selectSlots(node, { cores: 4, gpus: 0 }, needs), { ok: false, reason: "needs.cores is 8, it has 4" });
  t.ok(selectSlots(node, { cores: 8, gpus: 0 }, needs).ok);
  t.ok(selectSlots(node, { cores: 1, isGuess: true, gpus: 0 }, needs).ok);
});

t.test("needs.gpus chooses between GPU and CPU slots", async (t) => {
  const gpuNode = {
    ...createDefaultNode("a"),
    gpus: 2,
    profile: { ...createDefaultNode("a").profile, vendor: "amd" as const },
  };
  const machine = { cores: 6, gpus: 2 };
  const list = (node: typeof gpuNode, gpus: number | undefined, vendor?: "amd" | "none") => {
    const selection = selectSlots(node, machine, { gpus, vendor, playbooks: [] });
    return selection.ok ? selection.slots.map(({ slot, gpu, cpu }) => [slot, gpu ?? `cpu ${cpu}`]) : selection.reason;
  };
  const gpuSlots = [
    [0, 0],
    [1, 1],
  ];
  t.same(list(gpuNode, undefined), gpuSlots, "none is made of the cores without the job's word");
  t.same(list(gpuNode, 1), gpuSlots);
  t.same(
    list(gpuNode, 0),
    [2, 3, 4, 5].map((slot) => [slot, `cpu ${slot - 2}`]),
  );
  t.same(list({ ...gpuNode, gpus: 8 }, 0), [[8, "cpu 0"]], "at least one");
  t.same(list({ ...gpuNode, slots: 1 }, 0, "amd"), [[2, "cpu 0"]]);
  t.equal(list(gpuNode, undefined, "none"), "it has no CPU slot");
  t.equal(selectSlots(createDefaultNode("b"), { cores: 4, gpus: 0 }, { gpus: 1, playbooks: [] }).ok, false);
  t.equal(findUnknown({ ...gpuNode, slots: 2 }, { gpus: 0, playbooks: [] }), undefined);
  t.equal(findUnknown(gpuNode, { gpus: 0, playbooks: [] }), "machine");
});
