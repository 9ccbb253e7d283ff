import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, committedChunks, readJournal } from "./checks.js";
import { watchMuster } from "./knownjob.js";
import { PublishingJob } from "./publishingjob.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");

const words = ["-i", inventory];
/** What the folder of the job file has beside results. */
const own = ["job.json", "mine.txt", "w.py"];

t.test("a file of somebody else's where a result is to be published: nothing runs", { skip }, async (t) => {
  const job = new PublishingJob(shop, "between", { units: 24, seconds: 0.1 });
  await job.kill(t, "journaled:2", words);
  const committed = new Set(job.listCommitted().map(([start]) => start));
  const open = Array.from({ length: 24 }, (_, n) => n).filter((n) => !committed.has(n));
  const [first, last] = [open[0]!, open.at(-1)!];
  shop.write(`between/out/t${first}.json`, "of others");
  shop.write(`between/t${last}/stdout`, "of others");
  const journal = readFileSync(join(job.run, "journal.ndjson"));
  const refused = await job.muster(words);
  t.equal(refused.code, 65, refused.err);
  t.match(
    refused.err,
    `${job.folder} has files that this run did not publish:\n    out/t${first}.json\n    t${last}/stdout\n`,
  );
  t.match(
    refused.err,
    "Move these files away, publish elsewhere (--results DIR, or `results` of the job), or replace them with --overwrite.",
  );
  t.same(readFileSync(join(job.run, "journal.ndjson")), journal, "nothing was begun");
  t.equal(job.read(`out/t${first}.json`), "of others");
  t.equal(job.read(`t${last}/stdout`), "of others");
  job.checkCommitted(t, "refused");
  const ran = await job.muster([...words, "--overwrite"]);
  t.equal(ran.code, 0, ran.err);
  job.checkComplete(t, nodes, own);
  await checkNodes(t, nodes);
});

t.test("a file that appears while its chunk runs is kept, and the chunk fails", { skip }, async (t) => {
  const job = new PublishingJob(shop, "late", { units: 6, gate: true });
  const { ended } = job.start(words);
  await waitUntil("chunks run", () => job.listBegun(nodes).length > 0);
  shop.write("late/out/t1.json", "of others");
  shop.write("late/frames/t2-b.png", "of others");
  job.openGate(nodes);
  const ran = await ended;
  t.equal(ran.code, 3, ran.err);
  for (const path of ["out/t1.json", "frames/t2-b.png"]) {
    t.match(ran.err, `${join(job.folder, path)} exists already`);
    t.equal(job.read(path), "of others");
  }
  t.same(
    job
      .listCommitted()
      .map(([start]) => start)
      .sort(),
    [0, 3, 4, 5],
  );
  t.equal(job.read("frames/t2-a.png"), undefined, "a chunk publishes all of its files, or none");
  t.equal(job.read("found.txt"), [0, 3, 4, 5].map((n) => `hit ${n}\n`).join(""));
  const again = await job.muster(words);
  t.match(again, { code: 65, err: /did not publish:\n {4}out\/t1\.json\n/ }, "names that are known are checked first");
  for (const path of ["out/t1.json", "frames/t2-b.png"]) rmSync(join(job.folder, path));
  const done = await job.muster(words);
  t.equal(done.code, 0, done.err);
  t.equal(job.read("found.txt"), [0, 1, 2, 3, 4, 5].map((n) => `hit ${n}\n`).join(""), "and is joined again");
  await checkNodes(t, nodes);
});

t.test("a published file that somebody changed before it was committed is kept", { skip }, async (t) => {
  const job = new PublishingJob(shop, "edited", { units: 6 });
  await job.kill(t, "published", words);
  const [chunk] = readJournal(job.run).flatMap((entry) => (entry.e === "publishing" ? [entry.chunk] : []));
  const path = `out/${chunk}.json`;
  t.ok(job.read(path), `${path} was published`);
  writeFileSync(join(job.folder, path), "edited");
  const refused = await job.muster(words);
  t.match(refused, { code: 65, err: `did not publish:\n    ${path}\n` });
  t.equal(job.read(path), "edited");
  const ran = await job.muster([...words, "--overwrite"]);
  t.equal(ran.code, 0, ran.err);
  job.checkComplete(t, nodes, own);
  await checkNodes(t, nodes);
});

t.test("a joined file that somebody changed or put there is kept", { skip }, async (t) => {
  const job = new PublishingJob(shop, "joined", { units: 4, gate: true });
  const { ended } = job.start(words);
  await waitUntil("chunks run", () => job.listBegun(nodes).length > 0);
  shop.write("joined/found.txt", "of others");
  job.openGate(nodes);
  const late = await ended;
  t.equal(late.code, 3, late.err);
  t.match(late.out + late.err, `${join(job.folder, "found.txt")} exists already`);
  t.equal(job.read("found.txt"), "of others");
  t.match(await job.muster(words), { code: 65, err: "did not publish:\n    found.txt\n" });
  rmSync(join(job.folder, "found.txt"));
  const ran = await job.muster(words);
  t.equal(ran.code, 0, ran.err);
  job.checkComplete(t, nodes, own);
  await checkNodes(t, nodes);
});

t.test("a result that was not committed does not stand for an equal one of another chunk", { skip }, async (t) => {
  const name = "equal";
  shop.write(
    `${name}/w.py`,
    "import os, sys, time\nopen(sys.argv[1] + '.begun', 'w')\nwhile not os.path.exists('/var/tmp/go-' + sys.argv[1]): time.sleep(0.02)\nopen('same.x', 'w').write('equal')\n",
  );
  const tasks = ["a", "b"].map((id) => ({ id, args: [id], outputs: ["*.x"] }));
  const keys = { kind: "tasks", script: "w.py", retry: { attempts: 1 }, results: "published" };
  const file = shop.write(`${name}/job.json`, { ...keys, tasks });
  const run = join(shop.folder, name, "runs/job");
  const open = (task: string) => {
    for (const node of nodes) writeFileSync(join(node.root, `var/tmp/go-${task}`), "");
  };
  open("a");
  const killed = watchMuster(startMuster(["run", file, ...words], { env: { MUSTER_KILL_AT: "written" } }));
  await killed.ended;
  t.equal(killed.child.signalCode, "SIGKILL");
  for (const node of nodes) {
    await node.powerCycle();
    rmSync(join(node.root, "root/.muster"), { recursive: true });
    rmSync(join(node.root, "var/tmp/go-a"), { force: true });
  }
  open("b");
  const second = watchMuster(startMuster(["run", file, ...words]));
  await waitUntil("b is committed", () => committedChunks(run).length > 0);
  second.child.kill("SIGKILL");
  await second.ended;
  t.same(committedChunks(run), ["b"]);
  open("a");
  const ran = await watchMuster(startMuster(["run", file, ...words])).ended;
  t.match(ran, { code: 3, err: /same\.x exists already/ });
  t.equal(shop.read(`${name}/published/same.x`), "equal", "b's file is there");
  await checkNodes(t, nodes);
});

t.test("--fresh does not replace the results of an earlier run, unless it may", { skip }, async (t) => {
  const job = new PublishingJob(shop, "fresh", { units: 4 });
  t.equal((await job.muster(words)).code, 0);
  const refused = await job.muster([...words, "--fresh"]);
  t.match(refused, { code: 65, err: /did not publish:\n {4}found\.txt\n {4}all\.txt\n {4}t0\/stdout\n/ });
  t.same(readdirSync(join(job.folder, "runs")), ["job"], "no run directory was made");
  writeFileSync(join(job.folder, "out/t0.json"), "edited");
  const ran = await job.muster([...words, "--fresh", "--overwrite"]);
  t.equal(ran.code, 0, ran.err);
  t.same(job.listBegun(nodes), [0, 0, 1, 1, 2, 2, 3, 3]);
  t.equal(job.read("out/t0.json"), "large 0\n".repeat(4000));
  t.equal(existsSync(join(job.folder, "runs/job-2/summary.json")), true);
  await checkNodes(t, nodes);
});
