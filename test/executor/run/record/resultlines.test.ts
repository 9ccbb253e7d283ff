import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import { formatResultLine, sortResultLines } from "../../../../executor/run/record/resultlines.js";

const folder = mkdtempSync(join(tmpdir(), "muster-results-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const job = { unitsOf: (id: string) => [BigInt(id.split("-")[0]!), 0n] } as unknown as Job;
const line = (chunk: string, output?: string) =>
  formatResultLine({ chunk, node: "n", slot: 0, attempt: 1, seconds: 0.5, sha256: "ab", output });

t.test("a value keeps integers of any size, and is written on one line", async (t) => {
  t.equal(
    line("0-1", '{\n  "seed": 18446744073709551615\n}\n'),
    '{"chunk":"0-1","node":"n","slot":0,"attempt":1,"seconds":0.5,"sha256":"ab","output":{ "seed": 18446744073709551615 }}\n',
  );
  t.match(line("0-1"), /"output":null}\n$/);
  const separated = line("0-1", '{"a":"\u2028\u2029"}');
  t.notMatch(separated, /[\u2028\u2029]/, "for any reader's idea of a line");
  t.same(JSON.parse(separated).output, { a: "\u2028\u2029" });
});

t.test("lines are put into chunk order by number, whatever their size and the size of the file", async (t) => {
  const file = join(folder, "results.ndjson");
  const padding = JSON.stringify("x".repeat(40_000));
  const starts = Array.from({ length: 700 }, (_, index) => BigInt((index * 379) % 700) * 10n ** 18n);
  writeFileSync(file, starts.map((start) => line(`${start}-${start + 1n}`, padding)).join(""));
  await sortResultLines(file, job);
  const chunks = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((text) => BigInt(JSON.parse(text).chunk.split("-")[0]));
  t.same(
    chunks,
    [...starts].sort((a, b) => (a < b ? -1 : 1)),
  );
  t.same(readdirSync(folder), ["results.ndjson"], "nothing else is left");
});

t.test("sorting works with more pieces than are merged at once, and with more than the square of that", async (t) => {
  const file = join(folder, "results.ndjson");
  const count = 2500;
  writeFileSync(file, Array.from({ length: count }, (_, index) => line(`${(index * 1009) % count}-x`)).join(""));
  await sortResultLines(file, job, 150);
  const chunks = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((text) => Number.parseInt(JSON.parse(text).chunk, 10));
  t.same(
    chunks,
    Array.from({ length: count }, (_, index) => index),
  );
  t.same(readdirSync(folder), ["results.ndjson"], "nothing else is left");
});

t.test("an empty file and a sorted one are not changed", async (t) => {
  const file = join(folder, "results.ndjson");
  for (const text of ["", line("1-2") + line("5-6")]) {
    writeFileSync(file, text);
    await sortResultLines(file, job);
    t.equal(readFileSync(file, "utf8"), text);
  }
});
