import t from "tap";
import type { InFlightAttempt } from "../../../../executor/schedule/attempts/inflight.js";
import { isWorthwhile, planRecomputations } from "../../../../executor/schedule/attempts/recomputeplan.js";
import type { SlotState } from "../../../../executor/schedule/slots/slotstate.js";

/** A running chunk of units [start, end) that still needs `secondsLeft`. */
function candidate(start: number, end: number, secondsLeft: number) {
  const attempt = { attempt: { chunk: { start: BigInt(start), end: BigInt(end) } } } as unknown as InFlightAttempt;
  return { attempt, secondsLeft, units: end - start };
}

const idle = (...rates: number[]) => rates.map((rate, slot) => ({ slot: { slot } as SlotState, rate }));

/** Returns the pieces of each planned chunk, as [slot, start, end]. */
function plan(candidates: ReturnType<typeof candidate>[], slots: ReturnType<typeof idle>, minUnits = 1) {
  const pieces = planRecomputations(candidates, slots, 0.5, minUnits);
  return pieces.map((one) => one.pieces.map(({ slot, start, end }) => [slot.slot, Number(start), Number(end)]));
}

t.test("pieces are in proportion to the rates, and cover the chunk exactly", async (t) => {
  t.same(plan([candidate(100, 1000, 20)], idle(600, 200, 100)), [
    [
      [0, 100, 700],
      [1, 700, 900],
      [2, 900, 1000],
    ],
  ]);
});

t.test("nothing is computed again that would not end clearly sooner", async (t) => {
  t.same(plan([candidate(0, 900, 1.8)], idle(600, 200, 100)), [], "1.5 s instead of 1.8 s");
  t.same(plan([candidate(0, 900, 2.1)], idle(600, 200, 100)).length, 1, "1.5 s instead of 2.1 s");
  t.equal(isWorthwhile(1, 0.6), false, "0.4 s are not worth it");
});

t.test("two slow chunks share the idle slots where that ends the run soonest", async (t) => {
  const both = plan([candidate(0, 1000, 20), candidate(1000, 2000, 19)], idle(500, 500, 500, 500));
  t.same(
    both.map((pieces) => pieces.length),
    [2, 2],
  );
  const one = plan([candidate(0, 1000, 20), candidate(1000, 2000, 1)], idle(500, 500, 500, 500));
  t.same(one.length, 1, "the second one ends by itself");
});

t.test("the idle slots are shared so that all chunks end at nearly the same time", async (t) => {
  const rates = [600, 600, 600, 600, 600, 600, 600, 600, 100, 100];
  const plans = planRecomputations(
    [0, 1, 2, 3].map((n) => candidate(n * 7700, (n + 1) * 7700, 12)),
    idle(...rates),
    0.3,
    1,
  );
  t.equal(plans.length, 4, "all four are computed again");
  const seconds = plans.map(({ pieces }) => 7700 / pieces.reduce((sum, { slot }) => sum + rates[slot.slot]!, 0));
  t.ok(Math.max(...seconds) < 1.2 * Math.min(...seconds), `${seconds} s`);
});

t.test("no piece is smaller than the least size, nor shorter than its overhead", async (t) => {
  t.same(plan([candidate(0, 100, 20)], idle(50, 50, 50), 60), [[[0, 0, 100]]]);
  t.same(
    plan([candidate(0, 100, 20)], idle(50, 50, 50), 40).map((pieces) => pieces.length),
    [2],
  );
  const short = plan([candidate(0, 100, 20)], idle(...Array.from({ length: 50 }, () => 50)));
  t.same(short[0]!.length, 4, "0.5 s of work each");
});

t.test("property: whatever the chunks and slots, each planned chunk is covered once, by different slots", async (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    const number = (salt: number, most: number) => 1 + ((seed * 7919 + salt * 104_729) % most);
    const chunks = [0, 1, 2].map((n) => candidate(n * 1000, n * 1000 + number(n, 1000), number(n + 9, 60)));
    chunks.sort((a, b) => b.secondsLeft - a.secondsLeft);
    const slots = idle(...Array.from({ length: number(5, 12) }, (_, n) => number(n + 20, 300)).sort((a, b) => b - a));
    const plans = planRecomputations(chunks, slots, number(7, 30) / 10, number(8, 50));
    const used = plans.flatMap(({ pieces }) => pieces.map(({ slot }) => slot));
    if (new Set(used).size !== used.length) t.fail(`seed ${seed}: a slot has two pieces`);
    for (const { original, pieces } of plans) {
      let at = original.attempt.chunk.start;
      for (const { start, end } of pieces) {
        if (start !== at || end <= start) t.fail(`seed ${seed}: [${start}, ${end}) after ${at}`);
        at = end;
      }
      if (at !== original.attempt.chunk.end) t.fail(`seed ${seed}: ends at ${at}`);
    }
  }
  t.pass("300 plans");
});
