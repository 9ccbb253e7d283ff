import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { type Drain, describeDrain, drainsFilePath, readDrains, writeDrains } from "../../fleet/drains.js";
import { loadInventory } from "../../fleet/inventory.js";

const folder = mkdtempSync(join(tmpdir(), "muster-test-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const file = join(folder, ".muster-drain.json");
const NOW = Date.parse("2026-10-01T12:00:00.000Z");
const since = "2026-10-01T11:00:00.000Z";

t.test("drains are kept beside the inventory, and end by themselves", async (t) => {
  t.equal(drainsFilePath(join(folder, "inventory.yaml")), file);
  t.equal(drainsFilePath(undefined), undefined);
  t.equal(readDrains(file, NOW).size, 0, "no file");
  t.equal(readDrains(undefined, NOW).size, 0);
  const ends = { since, until: "2026-10-01T12:00:01.000Z", reason: "new fans" };
  const lasts = { since, now: true as const };
  writeDrains(
    file,
    new Map<string, Drain>([
      ["a", ends],
      ["b", lasts],
    ]),
  );
  t.same(
    [...readDrains(file, NOW)],
    [
      ["a", ends],
      ["b", lasts],
    ],
  );
  t.same([...readDrains(file, NOW + 1000).keys()], ["b"]);
  t.match(JSON.parse(readFileSync(file, "utf8")), { version: 1, nodes: { a: ends } });
});

t.test("nodes of the inventory have them", async (t) => {
  writeDrains(file, new Map([["a", { since }]]));
  const inventory = join(folder, "inventory.yaml");
  writeFileSync(inventory, "nodes: {a: {host: a}, b: {host: b}}\n");
  t.same(
    loadInventory(inventory).nodes.map(({ name, drain }) => [name, drain]),
    [
      ["a", { since }],
      ["b", undefined],
    ],
  );
});

t.test("a file that holds something else is an error, not a fleet without drains", async (t) => {
  for (const text of ["", "[]", "{}", '{"version":2,"nodes":{}}', '{"version":1,"nodes":{"a":{"since":"x"}}}']) {
    writeFileSync(file, text);
    t.throws(() => readDrains(file, NOW), { code: "INVALID_FILE", problems: [{ file, hint: /remove it/ }] }, text);
  }
});

t.test("a drain as text", async (t) => {
  t.equal(describeDrain({ since }), "drained");
  const until = new Date(2026, 11, 1, 18, 5).toISOString();
  t.equal(describeDrain({ since, until, reason: "new fans" }), "drained until 2026-12-01 18:05 (new fans)");
});
