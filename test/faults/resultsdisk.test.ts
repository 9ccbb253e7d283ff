import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes, listFiles } from "./checks.js";
import { PublishingJob } from "./publishingjob.js";
import { TmpfsDisks } from "./tmpfsdisk.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "small disks");

const words = ["-i", inventory];
const disks = new TmpfsDisks(t);

t.test(
  "the disk of the results fills up: the run stops in order, and is resumed with more room",
  { skip },
  async (t) => {
    const job = new PublishingJob(shop, "full", { units: 40, results: "published" });
    disks.mount(job.folder, "size=700k");
    const full = await job.muster(words);
    t.equal(full.code, 3, full.err);
    t.match(full.out, `stopped: cannot write the results ${job.folder}`);
    t.match(
      full.out,
      /no space is left there: \d+ chunks? done.*\n {4}Free some space there, then run the same command again/,
    );
    t.notMatch(full.out + full.err, /\bat .*\.js:\d+/, "no stack trace");
    job.checkCommitted(t, "full");
    t.ok(job.listCommitted().length < 40);
    t.equal((await job.muster(words)).code, 3, "no room yet: the same again");
    disks.remount(job.folder, "size=64m");
    const ran = await job.muster(words);
    t.equal(ran.code, 0, ran.err);
    job.checkComplete(t, nodes, []);
    await checkNodes(t, nodes);
  },
);

t.test("results on a read-only disk, or below a file: it is said before anything runs", { skip }, async (t) => {
  const job = new PublishingJob(shop, "frozen", { units: 4, results: "published" });
  disks.mount(job.folder, "ro");
  const frozen = await job.muster(words);
  t.match(frozen, {
    code: 3,
    err: /cannot write the results \S+published\S*: the file system there is read-only\n\s+Make it writable, or choose another folder with --results\./,
  });
  const below = await job.muster([...words, "--results", join(shop.folder, "frozen/mine.txt/below")]);
  t.match(below.err, /--results: \S+mine\.txt is a file and not a folder/);
  t.equal(below.code, 64);
  const file = await job.muster([...words, "--results", join(shop.folder, "frozen/mine.txt")]);
  t.match(file, { code: 64, err: /--results: \S+mine\.txt is a file and not a folder/ });
  t.notMatch(frozen.err + below.err + file.err, /bug in muster/);
  t.same(job.listBegun(nodes), [], "nothing has run");
  disks.remount(job.folder, "rw");
  const ran = await job.muster(words);
  t.equal(ran.code, 0, ran.err);
  job.checkComplete(t, nodes, []);
  await checkNodes(t, nodes);
});

t.test("a folder among the results is on another disk, on which files of others are kept, too", { skip }, async (t) => {
  const job = new PublishingJob(shop, "mounted", { units: 12, seconds: 0.1, results: "published" });
  disks.mount(join(job.folder, "out"), "size=16m");
  for (const step of ["written", "placed:3", "published", "journaled"]) {
    await job.kill(t, step, words);
    job.checkCommitted(t, step);
  }
  const ran = await job.muster(words);
  t.equal(ran.code, 0, ran.err);
  job.checkComplete(t, nodes, []);
  t.equal(readdirSync(join(job.folder, "out")).length, 12);
  const fresh = await job.muster([...words, "--fresh", "--overwrite"]);
  t.equal(fresh.code, 0, fresh.err);
  t.equal(readdirSync(join(job.folder, "out")).length, 12);
  await checkNodes(t, nodes);
});

t.test("the other disk fills up: nothing half is left there", { skip }, async (t) => {
  const job = new PublishingJob(shop, "small", { units: 12, results: "published" });
  disks.mount(join(job.folder, "out"), "size=200k");
  const full = await job.muster(words);
  t.equal(full.code, 3, full.err);
  t.match(full.out, /stopped: cannot write the results \S+: no space is left there/);
  job.checkCommitted(t, "full");
  disks.remount(join(job.folder, "out"), "size=16m");
  const ran = await job.muster(words);
  t.equal(ran.code, 0, ran.err);
  job.checkComplete(t, nodes, []);
  await checkNodes(t, nodes);
});

t.test("a part of an output's path is a file: the chunk fails, and the file stays", { skip }, async (t) => {
  const job = new PublishingJob(shop, "blocked", { units: 3 });
  shop.write("blocked/frames", "of others");
  const ran = await job.muster(words);
  t.equal(ran.code, 3, ran.err);
  t.match(ran.err, /frames\/t0-b\.png cannot be written: a part of its path is a file/);
  t.equal(readFileSync(join(job.folder, "frames"), "utf8"), "of others");
  t.same(
    listFiles(job.folder).filter((path) => path.startsWith("out/") || path.startsWith("t")),
    [],
    "a chunk publishes all of its files, or none",
  );
  await checkNodes(t, nodes);
});
