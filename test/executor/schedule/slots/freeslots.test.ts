import t from "tap";
import { UnitCosts } from "../../../../executor/schedule/rates/costmodel.js";
import { Rates } from "../../../../executor/schedule/rates/rates.js";
import { Pool } from "../../../../executor/schedule/slots/pool.js";
import { rangeJob } from "../schedulefixture.js";

const chunk = rangeJob(10n).chunk(0n, 1n);

/** Returns the slots in the order in which chunks are given to them. `kinds`: GPUs of a node, two slots each, with the rate of each slot. */
function listOrder(kinds: [first: number | undefined, second: number | undefined][]): number[] {
  const rates = new Rates();
  const pool = new Pool(rates, new UnitCosts(rates));
  const all = [0, 1].flatMap((share) =>
    kinds.map((own, gpu) => ({ node: "a", slot: share * kinds.length + gpu, gpu, sharers: 2, rate: own[share] })),
  );
  pool.joinNode("a", all, all.length);
  return all.map(() => {
    const slot = pool.freeSlots.findBest(undefined, () => true)!;
    pool.assign([slot], chunk, 0);
    return slot.slot;
  });
}

t.test("chunks go to GPUs that are idle before they share one", async (t) => {
  t.same(
    listOrder([
      [undefined, undefined],
      [undefined, undefined],
    ]),
    [0, 1, 2, 3],
  );
  t.same(
    listOrder([
      [10, 10],
      [9, 9],
      [10, 9],
    ]).map((slot) => slot % 3),
    [0, 2, 1, 0, 1, 2],
    "whatever small differences their rates have",
  );
});

t.test("a share of a fast GPU goes before a slow one that is idle", async (t) => {
  t.same(
    listOrder([
      [10, 10],
      [50, 50],
    ]),
    [1, 3, 0, 2],
  );
});
