import t from "tap";
import { formatCount, pluralize } from "../../report/format.js";

t.test("formats integers of any size in groups of three digits", async (t) => {
  const cases: [number | bigint, string][] = [
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
    [-1000, "-1,000"],
    [2n ** 64n, "18,446,744,073,709,551,616"],
  ];
  for (const [value, text] of cases) t.equal(formatCount(value), text);
  t.equal(pluralize(1n, "unit"), "1 unit");
  t.equal(pluralize(2000, "chunk"), "2,000 chunks");
});
