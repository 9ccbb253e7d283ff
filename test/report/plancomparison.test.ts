import t from "tap";
import { comparePlanAndActual } from "../../report/plancomparison.js";

const TABLE: [planned: number, actual: number, isGuess: boolean, text: string][] = [
  [50, 50.2, false, "planned: 9 chunks in 50 s; actual: 9 chunks in 50 s, as planned"],
  [40, 52, false, "planned: 9 chunks in 40 s; actual: 9 chunks in 52 s, 30 % longer"],
  [40, 20, false, "planned: 9 chunks in 40 s; actual: 9 chunks in 20 s, 50 % shorter"],
  [10, 20_363.8, false, "planned: 9 chunks in 10 s; actual: 9 chunks in 5 h 39 min, 2036 times as long"],
  [50, 10, false, "planned: 9 chunks in 50 s; actual: 9 chunks in 10 s, 5.0 times as fast"],
  [0.12, 0.9, false, "planned: 9 chunks in 0.12 s; actual: 9 chunks in 0.90 s"],
  [0, 0.9, false, "planned: 9 chunks in 0.00 s; actual: 9 chunks in 0.90 s"],
  [40, 50, true, "planned by the inventory's rates: 9 chunks in 40 s; actual: 9 chunks in 50 s"],
];

t.test("a plan without the start-up of nodes is not compared", async (t) => {
  const compare = (seconds: number) =>
    comparePlanAndActual({
      planned: { chunks: 9, seconds, isWorkOnly: true },
      session: { number: 1, chunks: 9, attempts: 9, dropped: 0, seconds: 70 },
    });
  t.equal(compare(0.12), "planned: 9 chunks in an unknown time; actual: 9 chunks in 1 min 10 s");
  t.equal(compare(60), "planned: 9 chunks in 1 min 00 s and an unknown start-up; actual: 9 chunks in 1 min 10 s");
});

t.test("a plan is compared only where it says something", async (t) => {
  for (const [seconds, actual, isGuess, text] of TABLE) {
    const session = { number: 1, chunks: 9, attempts: 9, dropped: 0, seconds: actual };
    t.equal(comparePlanAndActual({ planned: { chunks: 9, seconds, ...(isGuess ? { isGuess } : {}) }, session }), text);
  }
});
