import t from "tap";
import {
  formatHealRecords,
  type NodeRecord,
  parseHealRecords,
  recordCondition,
  recordHealing,
} from "../../../fleet/healing/healrecord.js";
import { away, createHealing, NOW_MS, sick } from "./healfixture.js";

const at = (minutes: number) => new Date(NOW_MS + minutes * 60_000).toISOString();
const look = (before: NodeRecord | undefined, condition: Parameters<typeof recordCondition>[1], minutes: number) =>
  recordCondition(before, condition, undefined, NOW_MS + minutes * 60_000, 600);

t.test("how long a node is unwell counts from the first of looks without a break", async (t) => {
  const first = look(undefined, away, 0);
  t.same(first, { healings: [], unwell: { kind: "away", since: at(0), seen: at(0) } });
  t.same(look(first, away, 5).unwell, { kind: "away", since: at(0), seen: at(5) });
  t.same(
    look(first, away, 0.9).unwell,
    first.unwell,
    "what is looked at every second is not written down every second",
  );
  t.equal(look(look(first, { kind: "well" }, 5), away, 10).unwell?.since, at(10), "it was well in between");
  t.equal(look(look(first, { kind: "refused", reason: "x" }, 5), away, 10).unwell?.since, at(10), "it answered");
  t.equal(look(first, sick, 5).unwell?.since, at(5), "it is unwell in another way");
  t.equal(look(first, away, 119).unwell?.since, at(0), "cron looks every hour");
  t.equal(look(first, away, 121).unwell?.since, at(121), "nobody has looked for two hours");
  t.equal(look(first, away, -121).unwell?.since, at(-121), "the clock was set back");
  t.equal(recordCondition(first, away, undefined, NOW_MS + 4 * 3_600_000, 7200).unwell?.since, at(0), "twice `after`");
  t.equal(look(undefined, { ...away, sinceMs: NOW_MS - 60_000 }, 0).unwell?.since, at(-1), "a run has seen it go");
  t.equal(look(undefined, { ...away, sinceMs: NOW_MS + 60_000 }, 0).unwell?.since, at(0), "never in the future");
});

t.test("the boot id is kept", async (t) => {
  const first = recordCondition(undefined, { kind: "well" }, "b1", NOW_MS, 600);
  t.same(first, { healings: [], boot: "b1" });
  t.equal(look(first, away, 5).boot, "b1");
  t.equal(recordCondition(first, { kind: "well" }, "b2", NOW_MS, 600).boot, "b2");
});

t.test("a healing is written down twice: before it, and with its outcome", async (t) => {
  const unwell = look(undefined, away, 0);
  const begun = recordHealing(unwell, createHealing(0, undefined));
  t.match(begun, { unwell: { since: at(0) }, healings: [{ at: at(0), action: "power-cycle" }] });
  const failed = recordHealing(begun, { ...createHealing(0, "failed"), why: "no answer", seconds: 600 });
  t.match(failed, { unwell: { since: at(0) }, healings: [{ outcome: "failed", why: "no answer", seconds: 600 }] });
  t.equal(failed.healings.length, 1);
  const healed = recordHealing(begun, createHealing(0, "healed"));
  t.same(healed, { healings: [createHealing(0, "healed")] }, "it is not unwell any more");
  const many = Array.from({ length: 200 }, (_, n) => createHealing(1000 - n, "failed"));
  const kept = many.reduce<NodeRecord>(recordHealing, { healings: [] }).healings;
  t.same(kept, many.slice(-100), "the last ones");
});

t.test("records survive in a file, and nothing else is taken for them", async (t) => {
  const records = new Map([
    [
      "a",
      recordHealing(look({ healings: [], boot: "b1" }, away, 0), {
        ...createHealing(0, "failed"),
        why: "x",
        seconds: 3,
      }),
    ],
    ["b", { healings: [] }],
  ]);
  const text = formatHealRecords(records);
  t.same(parseHealRecords(text), records);
  for (const [before, after] of [
    ['"version": 1', '"version": 2'],
    ['"healings": []', '"healings": {}'],
    ['"power-cycle"', '"explode"'],
    ['"failed"', '"perhaps"'],
    ['"kind": "away"', '"kind": "gone"'],
    [at(0), "yesterday"],
    ['"seconds": 3', '"seconds": "3"'],
    ['"boot": "b1"', '"boot": 1'],
    ["{", "["],
  ] as const)
    t.equal(parseHealRecords(text.replace(before, after)), undefined, `${before} -> ${after}`);
});
