import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks } from "./checks.js";
import { KnownJob, type KnownJobOptions } from "./knownjob.js";
import { TmpfsDisks } from "./tmpfsdisk.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "small disks");

const disks = new TmpfsDisks(t);

/** A run on a disk that fills up stops in order; with more room it continues, and no chunk is computed again. */
async function fillUp(t: Test, name: string, size: string, shape: KnownJobOptions, reason: RegExp): Promise<void> {
  const job = new KnownJob(shop, name, shape);
  disks.mount(job.run, `size=${size}`);
  const full = await job.muster(["-i", inventory]);
  t.equal(full.code, 3, full.err);
  t.match(full.out, reason);
  t.match(full.out, /\n {4}Free some space there, then run the same command again/);
  t.notMatch(full.out + full.err, /\bat .*\.js:\d+/, "no stack trace");
  const before = committedChunks(job.run);
  t.ok(before.length < job.chunks.length, `${before.length} chunks were committed`);
  const wrong = before.filter(
    (chunk) => readFileSync(join(job.run, "results", chunk, "r.json"), "utf8") !== job.expected(chunk),
  );
  t.same(wrong, [], "what is journaled is there");
  const still = await job.muster(["-i", inventory]);
  t.equal(still.code, 3, "no room yet: the same again");
  disks.remount(job.run, "size=64m");
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {}, "every chunk was executed once");
  await checkNodes(t, lab.nodes);
}

const NO_SPACE = /stopped: cannot write to the run directory \S+: no space is left there/;
const NO_ROOM = /stopped: a result of 976\.6 KiB does not fit: [\d.]+ \w+ are free in \S+/;
for (const [what, name, size, shape, reason] of [
  ["small results, which come on the agent's channel", "small", "512k", { chunks: 120, size: 8_000 }, NO_SPACE],
  ["results that are pulled", "pulled", "2m", { chunks: 40, size: 100_000 }, NO_SPACE],
  [
    "large results, which are not begun where there is no room",
    "large",
    "8m",
    { chunks: 10, size: 1_000_000 },
    NO_ROOM,
  ],
] as const)
  t.test(`the coordinator's disk fills up with ${what}`, { skip }, (t) => fillUp(t, name, size, shape, reason));

t.test(
  "a disk that is full from the beginning, read-only, or no folder is reported, and nothing is started",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "unwritable", { chunks: 2 });
    disks.mount(job.run, "size=64k");
    execFileSync("dd", ["if=/dev/zero", `of=${job.run}/filler`, "bs=4k", "count=15"], { stdio: "ignore" });
    const full = await job.muster(["-i", inventory]);
    t.match(full, {
      code: 3,
      err: /muster: cannot write to the run directory \S+: no space is left there\n\s+Free some space there/,
    });
    disks.remount(job.run, "ro");
    const readOnly = await job.muster(["-i", inventory]);
    t.match(readOnly, {
      code: 3,
      err: /run directory \S+: the file system there is read-only\n\s+Make it writable/,
    });
    const inTheWay = await job.muster(["-i", inventory, "--out", join(job.file, "run")]);
    t.match(inTheWay, { code: 3, err: /a part of its path is a file and not a folder/ });
    t.equal(job.listExecutions(lab.nodes).length, 0);
    for (const { out, err } of [full, readOnly, inTheWay]) t.notMatch(out + err, /bug in muster|\bat .*\.js:\d+/);
  },
);

t.test("a pipeline whose disk fills up stops in an orderly way, and resumes with more space", { skip }, async (t) => {
  const folder = join(shop.folder, "pipeline");
  disks.mount(folder, "size=1m");
  // Only once: whether its end could still be written down is a matter of a few bytes.
  const filler = ["sh", "-c", `[ -e ${folder}/filler ] || cat /dev/zero >${folder}/filler 2>&1; true`];
  const file = shop.write("p.yaml", { steps: { a: { command: filler }, b: { command: ["true"], needs: ["a"] } } });
  const words = ["run", file, "-i", "local", "--out", join(folder, "run")];
  const full = await runMuster(words);
  t.match(full, {
    code: 3,
    err: /cannot write to the run directory \S+: no space is left there\n\s+Free some space there/,
  });
  t.notMatch(full.err, /bug in muster/);
  disks.remount(folder, "size=4m");
  t.match(await runMuster(words), { code: 0 });
});

t.test("the disk fills up while the results are sorted: nothing is lost", { skip }, async (t) => {
  // Sorting needs room for a second copy of results.ndjson.
  const job = new KnownJob(shop, "order", { chunks: 60, size: 16_000, job: { collect: "lines" } });
  disks.mount(job.run, "size=1400k");
  const full = await job.muster(["-i", inventory]);
  t.equal(full.code, 3, full.err);
  t.match(full.out, /stopped: cannot write to the run directory/);
  t.equal(committedChunks(job.run).length, 60, "all are committed");
  disks.remount(job.run, "size=64m");
  const ran = await job.muster(["-i", inventory, "--json"]);
  t.equal(ran.code, 0, ran.err);
  t.equal(JSON.parse(ran.out).session.attempts, 0);
  const lines = readFileSync(join(job.run, "results.ndjson"), "utf8").trimEnd().split("\n");
  t.same(
    lines.map((line) => JSON.stringify(JSON.parse(line).output)),
    job.chunks.map((chunk) => job.expected(chunk)),
  );
  t.same(countRepeatedChunks(job, lab.nodes), {});
  await checkNodes(t, lab.nodes);
});

t.test("a node whose work directory is read-only is excluded, with the reason", { skip }, async (t) => {
  const [spoilt, well] = [lab.nodes[0]!, lab.nodes[1]!];
  await spoilt.exec(["sh", "-c", "mkdir -p /frozen && mount -t tmpfs -o ro tmpfs /frozen"]);
  const own = lab.inventory({ file: "frozen.yaml", nodes: { [spoilt.name]: { workdir: "/frozen/work" } } });
  const job = new KnownJob(shop, "frozen", { chunks: 8 });
  const ran = await job.muster(["-i", own]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /node1: (refused|away): .*\/frozen\/work/);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
  await checkNodes(t, [well]);
  const alone = await job.muster(["-i", own, "--limit", spoilt.name, "--fresh"]);
  t.match(alone, { code: 69, err: /\/frozen\/work/ });
  t.notMatch(alone.err, /bug in muster/);
  t.equal(existsSync(join(spoilt.root, "frozen/work")), false);
});
