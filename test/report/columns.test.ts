import t from "tap";
import { countColumns, padToColumns, takeColumns, takeLastColumns } from "../../report/columns.js";
import { shortenMiddle } from "../../report/format.js";

t.test("counts the columns of a text in a terminal", async (t) => {
  const cases: [text: string, columns: number][] = [
    ["", 0],
    ["abc", 3],
    ["日本", 4],
    ["e\u0301te\u0301", 3],
    ["\u{1f600}!", 3],
    ["❤\ufe0f", 2],
    ["\u0301", 0],
  ];
  for (const [text, columns] of cases) t.equal(countColumns(text), columns, text);
});

t.test("truncation never exceeds the width, and splits no character", async (t) => {
  const texts = ["plain words", "日本語のノード", "e\u0301".repeat(9), "a\u{1f600}b\u{1f600}c", "x日x本x"];
  for (const text of texts)
    for (let width = 0; width <= 20; width++)
      for (const part of [
        takeColumns(text, width),
        takeLastColumns(text, width),
        shortenMiddle(text, Math.max(3, width)),
      ]) {
        t.ok(countColumns(part) <= Math.max(3, width), `${text}, ${width}: ${part}`);
        t.ok(!/^\p{M}|\p{Cs}/u.test(part), part);
      }
  t.equal(takeColumns("日本語", 5), "日本");
  t.equal(takeLastColumns("日本語", 5), "本語");
  t.equal(padToColumns("日本", 6), "日本  ");
});
