import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { keepFiles } from "../../../../executor/run/queue/keepfiles.js";
import { QueueStore } from "../../../../executor/run/queue/queuestore.js";
import { hashContent, TaskIndex } from "../../../../executor/run/queue/taskindex.js";

t.test("calls at once keep each file under its own hash, and leave no partial files", async (t) => {
  const sizes = Array.from({ length: 12 }, (_, n) => 100_000 + n);
  const files = Object.fromEntries(sizes.map((size) => [`f${size}`, `${size} `.repeat(size / 7)]));
  const path = t.testdir({ files, inputs: { "1.part": "old", "2.part": "of a living process" } });
  utimesSync(join(path, "inputs/1.part"), 1, 1);
  const staged = sizes.map((size) => ({ source: join(path, "files", `f${size}`), path: "x" }));
  await Promise.all(staged.map((file) => keepFiles(path, [file])));
  const kept = readdirSync(join(path, "inputs")).filter((name) => name !== "2.part");
  t.equal(kept.length, sizes.length);
  for (const name of kept) {
    const content = readFileSync(join(path, "inputs", name));
    t.equal(name, createHash("sha256").update(content).digest("hex"));
  }
  t.ok(existsSync(join(path, "inputs/2.part")));
});

t.test("an index that got tasks and was not saved is built again", async (t) => {
  const path = t.testdir({ queue: "the records of a queue, and a checksum" });
  const queue = openSync(join(path, "queue"), "r");
  t.teardown(() => closeSync(queue));
  const open = () => TaskIndex.open(join(path, "index"), queue);
  const saved = { length: 20, records: 1, isClosed: false };
  const first = open();
  first.add("a", hashContent("a"));
  first.save(queue, saved);
  first.close();
  const killed = open();
  t.match(killed.state, { ...saved, taskCount: 1 });
  killed.add("b", hashContent("b"));
  killed.close();
  const rebuilt = open();
  t.match(rebuilt.state, { length: 0, records: 0, taskCount: 0 });
  t.equal(rebuilt.find("a"), undefined);
  rebuilt.close();
});

t.test("the order of keys is no content of a task", async (t) => {
  const path = t.testdir({});
  const store = await QueueStore.open(path, join(path, "job.yaml"));
  t.teardown(() => store.close());
  const at = new Date(0).toISOString();
  await store.append({ e: "tasks", at, tasks: [{ id: "a", params: { x: 1, y: 2 }, env: { A: "1", B: "2" } }] });
  t.equal(store.membershipOf({ id: "a", env: { B: "2", A: "1" }, params: { y: 2, x: 1 } }), "same");
  t.equal(store.membershipOf({ id: "a", env: { B: "2", A: "1" }, params: { y: 1, x: 2 } }), "other");
});
