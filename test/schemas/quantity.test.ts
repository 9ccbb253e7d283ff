import t from "tap";
import {
  parseClocks,
  parseDuration,
  parseFan,
  parseIntervalOrNever,
  parsePower,
  parsePrice,
  parseSize,
  parseSizeOrZero,
  parseUnitPart,
} from "../../schemas/quantity.js";

t.test("durations are parsed into seconds", async (t) => {
  const table: [unknown, number | undefined][] = [
    ["60s", 60],
    ["10m", 600],
    ["1h30m", 5400],
    ["500ms", 0.5],
    ["1.5h", 5400],
    ["2d", 172800],
    [90, 90],
    ["90", 90],
    ["0s", undefined],
    [-1, undefined],
    ["10 m", undefined],
    ["m", undefined],
    ["1w", undefined],
    ["", undefined],
    [null, undefined],
    [Number.POSITIVE_INFINITY, undefined],
  ];
  for (const [text, wanted] of table) {
    const got = parseDuration(text);
    t.equal(got.ok ? got.value : undefined, wanted, String(text));
  }
});

t.test("an interval is never, or at least a second", async (t) => {
  const table: [unknown, number | undefined][] = [
    ["never", 0],
    ["10s", 10],
    [1, 1],
    ["900ms", undefined],
    [0, undefined],
    ["always", undefined],
  ];
  for (const [text, wanted] of table) {
    const got = parseIntervalOrNever(text);
    t.equal(got.ok ? got.value : undefined, wanted, String(text));
  }
});

t.test("a price has its unit", async (t) => {
  for (const [text, wanted] of [
    ["0.30/kWh", 0.3],
    ["0.30 / kWh", 0.3],
    ["12/kWh", 12],
    ["0/kWh", 0],
  ] as const)
    t.same(parsePrice(text), { ok: true, value: wanted }, text);
  for (const bad of ["0.30", "0.30/Wh", "-1/kWh", "1e9/kWh", "/kWh", "NaN/kWh", "0.30/kwh", true, null])
    t.match(parsePrice(bad), { ok: false, message: "must be a price with its unit, like 0.30/kWh" }, String(bad));
  t.match(parsePrice(0.25), { message: "must be a price with its unit, like 0.25/kWh" });
});

t.test("sizes are parsed into bytes", async (t) => {
  const table: [unknown, number | undefined][] = [
    ["8GiB", 8 * 2 ** 30],
    ["512MiB", 512 * 2 ** 20],
    ["1G", 2 ** 30],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["10GB", 1e10],
    ["8 GiB", 8 * 2 ** 30],
    [1024, 1024],
    ["1Gib", undefined],
    ["8gb", undefined],
    ["constructor", undefined],
    ["1constructor", undefined],
    [0, undefined],
    [true, undefined],
  ];
  for (const [text, wanted] of table) {
    const got = parseSize(text);
    t.equal(got.ok ? got.value : undefined, wanted, String(text));
  }
});

t.test("a budget is a size that may be zero", async (t) => {
  for (const zero of [0, "0", "0 GiB", "0.0MB", "0B"])
    t.same(parseSizeOrZero(zero), { ok: true, value: 0 }, String(zero));
  for (const [text, wanted] of [
    ["20GiB", 20 * 2 ** 30],
    [7, 7],
  ] as const)
    t.same(parseSizeOrZero(text), { ok: true, value: wanted }, String(text));
  for (const bad of [-1, "0x", "-0", "none", "", false, Number.NaN, 2 ** 60])
    t.notOk(parseSizeOrZero(bad).ok, String(bad));
});

t.test("parts of a job are exact fractions or numbers of units", async (t) => {
  const table: [unknown, [numerator: bigint, denominator: bigint] | bigint | undefined][] = [
    ["95%", [95n, 100n]],
    ["99.9 %", [999n, 1000n]],
    ["100%", [100n, 100n]],
    ["0.5%", [5n, 1000n]],
    [12, 12n],
    [2n ** 64n, 2n ** 64n],
    ["120%", undefined],
    ["100.1%", undefined],
    ["0%", undefined],
    ["-5%", undefined],
    ["%", undefined],
    ["12", undefined],
    [0, undefined],
    [-1, undefined],
    [0n, undefined],
    [0.95, undefined],
    [1e30, undefined],
    [null, undefined],
    [true, undefined],
  ];
  for (const [text, wanted] of table) {
    const got = parseUnitPart(text);
    const value = !got.ok ? undefined : "count" in got.value ? got.value.count : Object.values(got.value);
    t.same(value, wanted, String(text));
  }
});

t.test("powers, clocks and fans", async (t) => {
  for (const [value, watts] of [
    ["100W", 100],
    ["87.5 W", 87.5],
    [120, 120],
  ] as const)
    t.same(parsePower(value), { ok: true, value: watts }, String(value));
  for (const bad of ["100", "100w", "0W", "-5W", "1e3W", "100kW", "99999W", 0, Number.NaN, 1e9, true, null, [100]])
    t.notOk(parsePower(bad).ok, String(bad));
  t.same(parseClocks([500, 2200]), { ok: true, value: { minMhz: 500, maxMhz: 2200 } });
  t.same(parseClocks([800, 800]), { ok: true, value: { minMhz: 800, maxMhz: 800 } });
  t.same(parseClocks("max"), { ok: true, value: "max" });
  for (const bad of [[2200, 500], [500], [1, 2, 3], [0, 5], [1.5, 2], ["500", "2200"], [1, 1e9], 500, "min", null])
    t.notOk(parseClocks(bad).ok, String(bad));
  t.same(parseFan("auto"), { ok: true, value: "auto" });
  t.same(parseFan("60%"), { ok: true, value: 0.6 });
  for (const bad of ["0%", "101%", 60, "60", "max", null]) t.notOk(parseFan(bad).ok, String(bad));
});
