import t from "tap";
import { count, plural } from "../../report/format.js";

t.test("whole numbers in groups of three, of any size", async (t) => {
  const cases: [number | bigint, string][] = [
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
    [-1000, "-1,000"],
    [2n ** 64n, "18,446,744,073,709,551,616"],
  ];
  for (const [value, text] of cases) t.equal(count(value), text);
  t.equal(plural(1n, "unit"), "1 unit");
  t.equal(plural(2000, "chunk"), "2,000 chunks");
});
