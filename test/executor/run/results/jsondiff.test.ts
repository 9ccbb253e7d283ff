import t from "tap";
import { findJsonDifference } from "../../../../executor/run/results/jsondiff.js";

const TABLE: [one: unknown, other: unknown, tolerance: number, found: string | undefined][] = [
  [1, 1 + 1e-9, 1e-6, undefined],
  [1e12, 1e12 + 1, 1e-6, undefined],
  [0, 1e-9, 1e-6, undefined],
  [1, 1.1, 1e-6, "it is 1 and 1.1"],
  [1, 1.1, 0, "it is 1 and 1.1"],
  [1, "1", 1, 'it is 1 and "1"'],
  [null, 0, 1, "it is null and 0"],
  [[1, 2], [1], 1, "it has 2 and 1 entries"],
  [{ a: [{ b: 1 }] }, { a: [{ b: 3 }] }, 1e-6, "a[0].b is 1 and 3"],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, 0, undefined],
  [{ a: 1 }, { a: 1, b: undefined }, 0, "b is in one of them alone"],
  [{ x: { toString: 1 } }, { x: {} }, 0, "x.toString is in one of them alone"],
];

for (const [one, other, tolerance, found] of TABLE)
  t.test(`${JSON.stringify(one)} and ${JSON.stringify(other)} within ${tolerance}`, async (t) => {
    t.equal(findJsonDifference(one, other, tolerance), found);
  });
