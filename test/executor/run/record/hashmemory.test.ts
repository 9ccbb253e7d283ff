import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { hashFile } from "../../../../executor/run/record/filehashes.js";
import { HashMemory } from "../../../../executor/run/record/hashmemory.js";

const folder = mkdtempSync(join(tmpdir(), "muster-hashes-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const run = join(folder, "run");
const file = join(folder, "large.bin");
const LATER_MS = 10_000;

/** Recalls the file with a memory that is read and saved; returns whether the file was read, and its hash. */
async function recall(nowMs: number, path = file) {
  const memory = new HashMemory(run, () => nowMs);
  let wasRead = false;
  const { sha256 } = await memory.recall(path, (one) => {
    wasRead = true;
    return hashFile(one);
  });
  memory.save();
  return { wasRead, sha256 };
}

t.test("an unchanged file is hashed once; a changed one again", async (t) => {
  writeFileSync(file, Buffer.alloc(2 << 20, "a"));
  const now = Date.now() + LATER_MS;
  const first = await recall(now);
  t.ok(first.wasRead);
  t.same(await recall(now + 1), { wasRead: false, sha256: first.sha256 });
  t.equal(statSync(join(folder, ".muster-hashes.json")).mode & 0o777, 0o600);
  const { atime, mtime } = statSync(file);
  writeFileSync(file, Buffer.alloc(2 << 20, "b"));
  utimesSync(file, atime, mtime);
  const changed = await recall(now + LATER_MS);
  t.ok(changed.wasRead, "although size and mtime are the same");
  t.not(changed.sha256, first.sha256);
});

t.test("a hash is not trusted across a clock that went back, nor for a file that was just written", async (t) => {
  const now = Date.now() + LATER_MS;
  await recall(now);
  t.notOk((await recall(now)).wasRead);
  t.ok((await recall(now - 1)).wasRead, "it was hashed in the future");
  writeFileSync(file, Buffer.alloc(2 << 20, "c"));
  await recall(Date.now());
  t.ok((await recall(Date.now() + LATER_MS)).wasRead, "it was hashed in the second in which it was written");
});

t.test("small files are not remembered, and a damaged memory is empty", async (t) => {
  const small = join(folder, "small");
  writeFileSync(small, "x");
  const now = Date.now() + LATER_MS;
  for (let n = 0; n < 2; n++) t.ok((await recall(now, small)).wasRead);
  await recall(now);
  const path = join(folder, ".muster-hashes.json");
  for (const text of ["", "{", '{"files": [["x"]]}', readFileSync(path, "utf8").replace(/[0-9a-f]{64}/, "zz")]) {
    writeFileSync(path, text);
    t.ok((await recall(now)).wasRead, text.slice(0, 20));
  }
});
