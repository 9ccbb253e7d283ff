import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { healFilePath, openHealStore, readHealRecords } from "../../../fleet/healing/healfile.js";
import { TestFolder } from "../../cli/startmuster.js";
import { createHealing } from "./healfixture.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
const inventory = shop.write("inventory.yaml", "nodes: {a: }\n");
const file = join(shop.folder, ".muster-heal.json");

t.test("one process at a time heals; what it writes down is on disk at once", async (t) => {
  t.equal(healFilePath(inventory), file);
  t.equal(readHealRecords(file).size, 0, "there is no file");
  const store = openHealStore(inventory)!;
  t.equal(openHealStore(inventory), undefined, "another one has to wait");
  const record = { healings: [createHealing(0, undefined)] };
  store.set("a", record);
  t.same(readHealRecords(file).get("a"), record);
  t.same(store.records.get("a"), record);
  t.notOk(existsSync(`${file}.partial`));
  store.close();
  store.close();
  store.set("a", { healings: [] });
  const next = openHealStore(inventory)!;
  t.same(next.records.get("a"), record);
  next.close();
});

t.test("a damaged file is named, and its lock is free again", async (t) => {
  writeFileSync(file, "{");
  const damaged = { code: "INVALID_FILE", message: /\.muster-heal\.json: does not hold healings\n +remove it/ };
  t.throws(() => readHealRecords(file), damaged);
  t.throws(() => openHealStore(inventory), damaged);
  rmSync(file);
  openHealStore(inventory)!.close();
  t.equal(readFileSync(join(shop.folder, ".muster-heal.lock"), "utf8"), "");
});
