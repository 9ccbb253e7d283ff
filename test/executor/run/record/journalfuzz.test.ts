import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { Journal, readEntries } from "../../../../executor/run/record/journal.js";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import { MusterError } from "../../../../schemas/errors.js";
import { cpuTimeMs } from "../../../lab/cputime.js";

t.setTimeout(600_000);
const folder = mkdtempSync(join(tmpdir(), "muster-journal-fuzz-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const ENTRIES = Array.from({ length: 6 }, (_, n): JournalEntry => {
  return { e: "done", chunk: `${n}-${n + 1}`, start: `${n}`, end: `${n + 1}`, length: n * 100 };
});

/** The bytes of a journal with these entries. */
async function journalOf(entries: JournalEntry[]): Promise<Buffer> {
  const file = join(folder, "journal");
  const fd = openSync(file, "a+");
  const journal = Journal.resume(fd, file, () => {});
  for (const entry of entries) journal.add(entry);
  await journal.flush();
  const bytes = readFileSync(file);
  journal.close();
  return bytes;
}

/** What is read of a file with these bytes: entries, or the code of the refusal. */
function read(fd: number, bytes: Buffer): JournalEntry[] | string {
  ftruncateSync(fd, 0);
  writeSync(fd, bytes, 0, bytes.length, 0);
  const entries: JournalEntry[] = [];
  try {
    readEntries(fd, "journal", (entry) => entries.push(entry));
    return entries;
  } catch (error) {
    if (error instanceof MusterError) return error.code;
    throw error;
  }
}

/** The entry without the number that the journal gives it. */
function bare(entry: JournalEntry): object {
  const { n: _, crc: __, ...rest } = entry as JournalEntry & { n: number; crc: string };
  return rest;
}

t.test("fuzz: 100,000 altered journals are refused, or read as a beginning of what was written", async (t) => {
  const whole = await journalOf(ENTRIES);
  const fd = openSync(join(folder, "altered"), "w+");
  t.teardown(() => closeSync(fd));
  const edit = fc.record({
    at: fc.nat(whole.length),
    remove: fc.oneof(fc.nat(3), fc.nat(whole.length)),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.constant(new Uint8Array(whole)),
      fc.constant(new Uint8Array(300)),
    ),
  });
  let [refused, prefixes, slowestMs] = [0, 0, 0];
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const bytes = edits.reduce(
        (now, { at, remove, insert }) => Buffer.concat([now.subarray(0, at), insert, now.subarray(at + remove)]),
        whole,
      );
      const began = cpuTimeMs();
      const found = read(fd, bytes);
      slowestMs = Math.max(slowestMs, cpuTimeMs() - began);
      if (typeof found === "string") refused++;
      else if (found.length < ENTRIES.length) prefixes++;
      if (typeof found === "string") return found === "JOURNAL_DAMAGED";
      return found.every((entry, index) => JSON.stringify(bare(entry)) === JSON.stringify(ENTRIES[index]));
    }),
    { numRuns: 100_000 },
  );
  t.ok(refused > 1000 && prefixes > 1000, `${refused} were refused, ${prefixes} read in part`);
  t.ok(slowestMs < 1000, `the slowest took ${slowestMs.toFixed(1)} ms`);
});

t.test(
  "a journal that a power failure left with 200 MiB of zeros at its end is read in the time that reading takes",
  async (t) => {
    const whole = await journalOf([]);
    const fd = openSync(join(folder, "zeros"), "w+");
    t.teardown(() => closeSync(fd));
    writeSync(fd, whole);
    ftruncateSync(fd, whole.length + (200 << 20));
    const plain = cpuTimeMs();
    readFileSync(join(folder, "zeros")).indexOf(10, whole.length);
    const began = cpuTimeMs();
    const entries: JournalEntry[] = [];
    readEntries(fd, "journal", (entry) => entries.push(entry));
    const ratio = (cpuTimeMs() - began) / (began - plain);
    t.equal(entries.length, ENTRIES.length);
    t.ok(ratio < 5, `${ratio.toFixed(1)} times a plain read of the file`);
  },
);
