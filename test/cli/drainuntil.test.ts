import t from "tap";
import { parseUntil } from "../../cli/drainuntil.js";

/** A Thursday, in the time zone of this machine. */
const NOW = new Date(2026, 9, 1, 17, 30, 20);

t.test("a span of time, a time of day, a date, and a date with a time", async (t) => {
  const table: [text: string, end: Date][] = [
    ["90m", new Date(2026, 9, 1, 19, 0, 20)],
    ["1h30m", new Date(2026, 9, 1, 19, 0, 20)],
    ["2d", new Date(2026, 9, 3, 17, 30, 20)],
    ["18:00", new Date(2026, 9, 1, 18, 0)],
    ["17:30", new Date(2026, 9, 2, 17, 30)],
    ["6:05", new Date(2026, 9, 2, 6, 5)],
    ["2026-12-24", new Date(2026, 11, 24)],
    ["2026-12-24 18:00", new Date(2026, 11, 24, 18)],
    ["2026-12-24T18:00:30", new Date(2026, 11, 24, 18, 0, 30)],
  ];
  for (const [text, end] of table) t.same(parseUntil(text, NOW), end, text);
});

t.test("what is no time, or past, is wrong usage", async (t) => {
  for (const text of [
    "",
    "tomorrow",
    "24:00",
    "18.00",
    "2026-13-01",
    "2026-02-30",
    "2026-10-01 25:00",
    "-1h",
    "0s",
    "90",
  ])
    t.throws(() => parseUntil(text, NOW), { code: "USAGE", message: /it must be a span of time/ }, text);
  for (const text of ["2026-10-01", "2026-10-01 17:30", "2020-01-01"])
    t.throws(() => parseUntil(text, NOW), { code: "USAGE", message: /this time is past/ }, text);
});
