import t from "tap";
import { judgeSlots, type PlacementFacts } from "../../../executor/run/placementrules.js";
import { ENDS_TOO_SOON } from "../../../executor/run/record/liverun.js";
import { createDefaultNode } from "../../../fleet/mergenode.js";
import { createBusySlot, createLiveNode, createLiveRun } from "../../report/liverunsample.js";

const node = (name: string, change: object = {}) => ({ ...createDefaultNode(name), ...change });
const attempt = { chunk: "me", attempt: 1, node: "a", slot: 0, state: "failed" as const };

function judge(change: Partial<PlacementFacts> = {}) {
  const live = createLiveRun({ nodes: [createLiveNode("a")], slots: [{ node: "a", slot: 0 }] });
  const facts = { job: { needs: { playbooks: [] } }, chunk: { id: "me" }, nodes: [node("a")], attempts: [], live };
  const nowMs = Date.parse("2026-01-01T12:00:00Z");
  return judgeSlots({ ...facts, nowMs, isSelected: (one, names) => names.includes(one.name), ...change }).map(
    ({ node: name, slot, reasons }) => [name, slot, ...reasons],
  );
}

const live = (slot: object, more: object = {}) =>
  createLiveRun({ nodes: [createLiveNode("a", more)], slots: [{ node: "a", slot: 0, ...slot }] });

t.test("a free slot has no objection, and neither has that which runs the chunk", async (t) => {
  t.same(judge(), [["a", 0]]);
  const own = createLiveRun({ nodes: [createLiveNode("a")], slots: [createBusySlot("a", 0, 1, { chunk: "me" })] });
  t.same(judge({ live: own }), [["a", 0]]);
});

t.test("each rule that refuses a slot, all at once", async (t) => {
  const table: [name: string, change: Partial<PlacementFacts>, reason: string][] = [
    [
      "busy",
      { live: createLiveRun({ nodes: [createLiveNode("a")], slots: [createBusySlot("a", 0, 1)] }) },
      "it runs another chunk",
    ],
    [
      "pin",
      { chunk: { id: "me", gpu: 1 }, live: live({ gpu: 0 }) },
      "the chunk is pinned to gpu 1, and this is another one",
    ],
    ["held", { live: live({ reason: "waits for run other" }) }, "it waits for run other"],
    ["memory", { live: live({ reason: "waits for memory" }) }, "it waits for memory"],
    ["sick", { live: live({ reason: "GPU 0 is lost" }) }, "it is out of use: GPU 0 is lost"],
    ["away", { live: live({}, { state: "away", reason: "no route" }) }, "it is away: no route"],
    [
      "drained",
      { live: live({ reason: "its node is drained" }, { drained: "drained (fans)" }) },
      "it is drained (fans)",
    ],
    ["drained since", { nodes: [node("a", { drain: { since: "2026-01-01" } })] }, "it is drained"],
    ["limit", { nodes: [node("a", { maxConcurrent: 1 })] }, "max_concurrent is 1, and 1 chunks run"],
    ["failed", { attempts: [attempt] }, "attempt 1 of the chunk failed there: others come first"],
  ];
  for (const [name, change, reason] of table) t.same(judge(change), [["a", 0, reason]], name);
  const until = "2026-01-01T12:03:20.400Z";
  const ending = live({ rate: 2, reason: ENDS_TOO_SOON }, { until });
  const deadline: [chunk: PlacementFacts["chunk"], reason: string][] = [
    [{ id: "me", expectedSeconds: 720 }, "its node ends in 3 min 20 s, before the chunk would (expected 12 min 00 s)"],
    [{ id: "me", units: 1000 }, "its node ends in 3 min 20 s, before the chunk would (expected 8 min 20 s)"],
    [{ id: "me" }, "its node ends in 3 min 20 s, before another chunk would"],
  ];
  for (const [chunk, reason] of deadline) t.same(judge({ live: ending, chunk }), [["a", 0, reason]], reason);
  t.same(judge({ live: live({ rate: 2 }, { until }), chunk: { id: "me", units: 100 } }), [["a", 0]], "in time");
  const busy = live({ ...createBusySlot("a", 0, 1), reason: ENDS_TOO_SOON }, { until });
  t.same(judge({ live: busy }), [["a", 0, "it runs another chunk"]], "of unknown duration");
  const all = live({ reason: "GPU 0 is lost", gpu: 0 }, { state: "silent" });
  t.same(judge({ live: all, chunk: { id: "me", gpu: 1 }, attempts: [attempt, { ...attempt, attempt: 2 }] }), [
    [
      "a",
      0,
      "it is silent",
      "the chunk is pinned to gpu 1, and this is another one",
      "it is out of use: GPU 0 is lost",
      "attempts 1, 2 of the chunk failed there: others come first",
    ],
  ]);
});

t.test("nodes without slots: refused by `needs`, left out, not there yet", async (t) => {
  const nodes = [node("a"), node("b"), node("c")];
  const job = { needs: { playbooks: [], nodes: ["a", "c"] } };
  const coming = createLiveRun({ nodes: [createLiveNode("a", { state: "connecting" })], slots: [] });
  t.same(judge({ nodes, job, live: coming }), [
    ["a", undefined, "it is connecting"],
    ["b", undefined, "needs.nodes does not name it"],
    ["c", undefined, "it takes no part in this session (--limit, or added to the inventory since)"],
  ]);
  t.match(judge({ nodes, job: undefined, live: coming })[1], ["b", undefined, /takes no part/], "without the job");
  t.same(judge({ live: createLiveRun({ nodes: [createLiveNode("a")], slots: [] }) }), [
    ["a", undefined, "it has no slot yet"],
  ]);
});
