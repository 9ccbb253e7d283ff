import t from "tap";
import { combineLists, countCombinations, parseCsv, splitValues } from "../../../../executor/job/map/valuelists.js";

t.test("all combinations, those of the last list first", async (t) => {
  const lists = [
    ["a", "b"],
    ["1", "2", "3"],
  ];
  const { rows } = combineLists(lists);
  t.same(
    rows.map(({ values }) => values.join("")),
    ["a1", "a2", "a3", "b1", "b2", "b3"],
  );
  t.same(
    rows.map(({ number }) => number),
    [1, 2, 3, 4, 5, 6],
  );
  t.equal(countCombinations(lists), 6);
  t.equal(combineLists([["a"], []]).rows.length, 0);
});

t.test("lines, and what NUL characters end", async (t) => {
  t.same(splitValues("a b\n\nc\r\n", false), ["a b", "c"]);
  t.same(splitValues("a\nb\0c\0", true), ["a\nb", "c"]);
});

t.test("CSV", async (t) => {
  const parsed = parseCsv('\ufefflr, seed\r\n0.1,"a, ""b""\nc"\r\n\r\n,2');
  t.match(parsed, { ok: true, table: { names: ["lr", "seed"] } });
  t.same(parsed.ok && parsed.table.rows.map(({ values }) => values), [
    ["0.1", 'a, "b"\nc'],
    ["", "2"],
  ]);
  t.same(parsed.ok && parsed.table.rows.map(({ number }) => number), [1, 2]);
  t.match(parseCsv("a\n"), { ok: true, table: { rows: [] } });
  const wrong: [string, number, RegExp][] = [
    ["", 1, /names of the columns/],
    ["a,a\n1,2", 1, /"a" cannot name a column/],
    ["a b\n1", 1, /"a b" cannot name/],
    ['a,b\n1,2\n"x\ny",3\n4', 5, /1 values for 2 columns/],
    ['a\n1\n"x', 3, /quote/],
    ['a\nx"y', 2, /quote/],
  ];
  for (const [text, line, message] of wrong)
    t.match(parseCsv(text), { ok: false, line, message }, JSON.stringify(text));
});
