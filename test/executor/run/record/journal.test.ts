import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { Journal } from "../../../../executor/run/record/journal.js";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import { tryLockFile } from "../../../../fleet/filelock.js";

const folder = mkdtempSync(join(tmpdir(), "muster-journal-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const done = (n: number): JournalEntry => ({
  e: "done",
  chunk: `${n}-${n + 1}`,
  start: `${n}`,
  end: `${n + 1}`,
  length: n * 100,
});

async function write(file: string, count: number): Promise<Buffer> {
  const fd = openSync(file, "a+");
  const journal = Journal.resume(fd, file, () => {});
  for (let n = 0; n < count; n++) journal.add(done(n));
  await journal.flush();
  journal.close();
  return readFileSync(file);
}

function read(file: string): JournalEntry[] {
  const entries: JournalEntry[] = [];
  const fd = openSync(file, "a+");
  try {
    Journal.resume(fd, file, (entry) => entries.push(entry));
  } finally {
    closeSync(fd);
  }
  return entries;
}

t.test("flushed records are read back, and the numbering continues", async (t) => {
  const file = join(folder, "plain");
  await write(file, 3);
  await write(file, 2);
  t.match(
    read(file).map((entry) => (entry as { chunk: string }).chunk),
    ["0-1", "1-2", "2-3", "0-1", "1-2"],
  );
});

t.test("cut at every byte of its last record, it loses that record and no other", async (t) => {
  const file = join(folder, "cut");
  const whole = await write(file, 3);
  const lastStart = whole.lastIndexOf(10, whole.length - 2) + 1;
  for (let length = lastStart; length < whole.length; length++) {
    writeFileSync(file, whole.subarray(0, length));
    const entries = read(file);
    if (entries.length !== 2) t.fail(`cut at ${length}: ${entries.length} records`);
    if (readFileSync(file).length !== lastStart) t.fail(`cut at ${length}: the torn record is still there`);
  }
  t.pass(`${whole.length - lastStart} cuts`);
});

t.test("damage before the last record is refused, and the record is named", async (t) => {
  const file = join(folder, "damaged");
  const whole = await write(file, 3);
  whole[whole.indexOf(10) + 20]! ^= 4;
  writeFileSync(file, whole);
  t.throws(() => read(file), { code: "JOURNAL_DAMAGED", exitStatus: 65, message: /record 2 / });
});

t.test("a record that is missing in the middle is damage too", async (t) => {
  const file = join(folder, "missing");
  const lines = (await write(file, 3)).toString().split("\n");
  writeFileSync(file, [lines[0], lines[2], ""].join("\n"));
  writeFileSync(file, `${readFileSync(file)}${lines[2]}\n`);
  t.throws(() => read(file), { code: "JOURNAL_DAMAGED" });
});

t.test("a file lock has one holder until the file is closed", async (t) => {
  const file = join(folder, "locked");
  const [a, b] = [openSync(file, "a+"), openSync(file, "a+")];
  t.equal(tryLockFile(a), true);
  t.equal(tryLockFile(b), false);
  closeSync(a);
  t.equal(tryLockFile(b), true);
  closeSync(b);
});

t.test("after a failed fsync nothing more is written, and what was not synced is truncated", async (t) => {
  const file = join(folder, "failed");
  await write(file, 2);
  const fd = openSync(file, "a+");
  let calls = 0;
  const failing = async () => {
    calls++;
    throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO", syscall: "fsync" });
  };
  const journal = Journal.resume(fd, file, () => {}, failing);
  journal.add(done(2));
  await t.rejects(journal.flush(), { code: "EIO" });
  journal.add(done(3));
  await t.rejects(journal.flush(), { code: "EIO" });
  t.equal(calls, 1, "it is not tried again");
  journal.close();
  t.equal(read(file).length, 2);
});
