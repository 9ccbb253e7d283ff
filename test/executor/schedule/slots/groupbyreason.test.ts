import t from "tap";
import { formatSlots, groupByReason } from "../../../../executor/schedule/slots/groupbyreason.js";

t.test("groups slots of one node with the same reason", async (t) => {
  const each = [
    ["a", 0, "x"],
    ["b", 0, "x"],
    ["a", 1, "y"],
    ["a", 2, "x"],
  ] as const;
  t.same(groupByReason(each.map(([node, slot, reason]) => ({ node, slot, reason }))), [
    { node: "a", slots: [0, 2], reason: "x" },
    { node: "b", slots: [0], reason: "x" },
    { node: "a", slots: [1], reason: "y" },
  ]);
});

const TEXTS: [slots: number[], text: string][] = [
  [[3], "slot 3"],
  [[0, 1, 2, 3], "slots 0-3"],
  [[0, 2, 3, 7], "slots 0, 2-3, 7"],
];
for (const [slots, text] of TEXTS) t.test(text, async (t) => t.equal(formatSlots(slots), text));
