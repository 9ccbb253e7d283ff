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
