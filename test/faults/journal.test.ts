import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks, readJournal } from "./checks.js";
import { KnownJob } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

t.test("a journal that is cut in its last record: only that chunk is computed again", { skip }, async (t) => {
  const job = new KnownJob(shop, "cut", { chunks: 6 });
  t.equal((await job.muster(["-i", inventory])).code, 0);
  const file = join(job.run, "journal.ndjson");
  const times: Record<string, number> = {};
  for (const part of [1, 0.5, 0]) {
    // Everything from within the last `done` on is gone, as after a power cut.
    const whole = readFileSync(file);
    const at = whole.lastIndexOf(',"e":"done"');
    const [from, end] = [whole.lastIndexOf(10, at) + 1, whole.indexOf(10, at) + 1];
    const lost = committedChunks(job.run).at(-1)!;
    times[lost] = (times[lost] ?? 1) + 1;
    writeFileSync(file, whole.subarray(0, part === 0 ? from + 1 : from + Math.floor((end - from - 1) * part)));
    const ran = await job.muster(["-i", inventory, "--json"]);
    t.equal(ran.code, 0, ran.err);
    t.equal(JSON.parse(ran.out).session.attempts, 1, `${lost} was started again, and nothing else`);
    checkResults(t, job);
  }
  t.same(countRepeatedChunks(job, lab.nodes), times);
  await checkNodes(t, lab.nodes);
});

t.test("a journal that is cut in its close record: nothing is computed again", { skip }, async (t) => {
  const job = new KnownJob(shop, "close", { chunks: 6 });
  t.equal((await job.muster(["-i", inventory])).code, 0);
  const file = join(job.run, "journal.ndjson");
  writeFileSync(file, readFileSync(file).subarray(0, -7));
  const ran = await job.muster(["-i", inventory, "--json"]);
  t.match(JSON.parse(ran.out), { already: false, session: { attempts: 0 } });
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
});

t.test(
  "a journal with a flipped bit in its middle is refused, naming the record, and nothing is changed",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "flipped", { chunks: 6 });
    t.equal((await job.muster(["-i", inventory])).code, 0);
    const file = join(job.run, "journal.ndjson");
    const spoilt = readFileSync(file);
    const second = spoilt.indexOf(10) + 1;
    spoilt[second + 15]! ^= 1;
    writeFileSync(file, spoilt);
    const results = readFileSync(join(job.run, "results.ndjson"), "utf8");
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 65);
    t.match(ran.err, `journal.ndjson: record 2 (at byte ${second}) is damaged`);
    t.match(ran.err, /--fresh/);
    t.same(readFileSync(file), spoilt);
    t.equal(readFileSync(join(job.run, "results.ndjson"), "utf8"), results);
    const fresh = await job.muster(["-i", inventory, "--fresh"]);
    t.equal(fresh.code, 0, fresh.err);
    await checkNodes(t, lab.nodes);
  },
);

t.test("a results.ndjson that is shorter than the journal says is refused", { skip }, async (t) => {
  const job = new KnownJob(shop, "shorter", { chunks: 6 });
  t.equal((await job.muster(["-i", inventory])).code, 0);
  const [journal, results] = ["journal.ndjson", "results.ndjson"].map((name) => join(job.run, name)) as [
    string,
    string,
  ];
  const lines = readFileSync(results);
  writeFileSync(journal, readFileSync(journal).subarray(0, -7));
  writeFileSync(results, lines.subarray(0, -20));
  const ran = await job.muster(["-i", inventory]);
  t.match(ran, {
    code: 65,
    err: `results.ndjson has ${lines.length - 20} bytes, but the journal has ${lines.length} committed bytes`,
  });
  writeFileSync(results, lines);
  t.equal((await job.muster(["-i", inventory])).code, 0);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
});

/** Makes one fsync of the journal fail, as a dying disk does. */
const FAILING = `import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const { fsync } = fs;
let left = 5;
fs.fsync = (fd, done) => {
  if (!fs.readlinkSync("/proc/self/fd/" + fd).endsWith("/journal.ndjson") || --left !== 0) return fsync(fd, done);
  done(Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO", syscall: "fsync" }));
};
syncBuiltinESMExports();
`;

t.test("a failed fsync ends the run; its records do not count, and their results are not lost", { skip }, async (t) => {
  const job = new KnownJob(shop, "eio", { chunks: 40, seconds: 0.05 });
  const preload = shop.write("failing.mjs", FAILING);
  const failed = await job.muster(["-i", inventory], { NODE_OPTIONS: `--import=file://${preload}` });
  t.equal(failed.code, 3, failed.err);
  t.match(failed.out, /stopped: cannot write to the run directory \S+: the disk fails \(input\/output error\)/);
  const before = committedChunks(job.run);
  t.ok(before.length > 0 && before.length < 40, `${before.length} chunks were committed before it`);
  t.notMatch(readJournal(job.run).at(-1), { e: "close" });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {}, "every chunk was executed once");
  await checkNodes(t, lab.nodes);
});
