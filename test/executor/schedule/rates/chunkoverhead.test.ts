import t from "tap";
import type { Sizing } from "../../../../executor/job/job.js";
import { findCostlyOverhead } from "../../../../executor/schedule/rates/chunkoverhead.js";
import { Rates } from "../../../../executor/schedule/rates/rates.js";

const BASE: Sizing = { by: "rate", base: 10_000, min: 500, max: 500_000 };
const COSTLY = { overheadSeconds: 3, workSeconds: 2 };

t.test("overhead is worth a word where the job's `chunk` causes it", async (t) => {
  const TABLE: [Sizing | undefined, boolean, string][] = [
    [BASE, true, "base"],
    [{ by: "rate", base: 10, min: 10, max: 10 }, true, "a fixed size"],
    [{ by: "time", target: 2, min: 1 }, true, "a short target"],
    [{ by: "time", min: 1, max: 100 }, true, "a largest size"],
    [{ by: "time", target: 300, min: 1 }, false, "the target that would be advised"],
    [{ by: "time", min: 1 }, false, "no `chunk`"],
    [undefined, false, "tasks"],
  ];
  for (const [sizing, isCostly, name] of TABLE)
    t.same(findCostlyOverhead(sizing, COSTLY), isCostly ? COSTLY : undefined, name);
});

t.test("overhead counts from a tenth of the work on, and not where it is a moment", async (t) => {
  t.equal(findCostlyOverhead(BASE, undefined), undefined);
  t.equal(findCostlyOverhead(BASE, { overheadSeconds: 3, workSeconds: 30 }), undefined);
  t.same(findCostlyOverhead(BASE, { overheadSeconds: 3.0004, workSeconds: 29 }), {
    overheadSeconds: 3,
    workSeconds: 29,
  });
  t.equal(findCostlyOverhead(BASE, { overheadSeconds: 0.05, workSeconds: 0.01 }), undefined);
});

t.test("the mean overhead of chunks is known after a few chunks of different sizes", async (t) => {
  const rates = new Rates();
  const slot = rates.estimateFor("a/0");
  for (const units of [100, 400, 100]) rates.learn(slot, units, 3 + units / 100);
  t.equal(rates.chunkOverhead, undefined, "too few");
  rates.learn(slot, 400, 7);
  const { overheadSeconds, workSeconds } = rates.chunkOverhead!;
  t.ok(Math.abs(overheadSeconds - 3) < 0.1, `${overheadSeconds}`);
  t.ok(Math.abs(workSeconds - 2.5) < 0.1, `${workSeconds}`);
  const shrinking = new Rates();
  for (const units of [300, 300, 200, 150, 100]) shrinking.learn(shrinking.estimateFor("a/0"), units, 3 + units / 100);
  t.match(shrinking.chunkOverhead, { units: 210 });
  t.ok(Math.abs(shrinking.chunkOverhead!.overheadSeconds - 3) < 0.1, "no chunk is half as large as the one before");
  const alike = new Rates();
  for (let count = 0; count < 9; count++) alike.learn(alike.estimateFor("a/0"), 100, 4);
  t.equal(alike.chunkOverhead, undefined, "chunks of one size do not tell");
});
