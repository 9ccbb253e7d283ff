import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { LiveRun } from "../../executor/run/record/liverun.js";
import { checkNodes } from "../faults/checks.js";
import { KnownJob } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster } from "./startmuster.js";

t.setTimeout(600_000);
const { skip, lab, nodes, shop, inventory: labInventory } = await shareLab(t, { nodes: 2, gpus: 1 }, "two nodes");
const folder = join(shop.folder, "fleet");
const inventory = join(folder, "inventory.yaml");
if (skip === false) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(labInventory, inventory);
}
const [first, second] = nodes.map(({ name }) => name) as [string, string];
const muster = (...words: string[]) => runMuster([...words, "-i", inventory], { cwd: shop.folder });
const chunksOn = (job: KnownJob, node: string) =>
  shop.results(`${job.name}/runs/${job.name}`).filter((line) => line.node === node).length;

t.test(
  "a running run gives a drained node nothing new; every command that shows nodes says so",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "fans", { chunks: 6, gate: true });
    const running = job.start(["-i", inventory]);
    await waitUntil("both nodes run a chunk", () => job.listRunning(lab.nodes).length === 2);
    const drained = await muster("drain", first, "--reason", "new fans", "--until", "2h");
    t.equal(drained.code, 0, drained.err);
    t.match(
      drained.out,
      new RegExp(`^${first}: drained until 20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d \\(new fans\\)\\n$`),
    );
    await waitUntil("the run says so", () => running.stderr().includes(`${first}: drained until`));
    t.match(running.stderr(), /\(new fans\): it gets no new chunks; what runs there continues\n/);

    t.match((await muster("drain")).out, /^node\d: drained .*\(new fans\)\n$/);
    t.match(JSON.parse((await muster("drain", "--json")).out), {
      drained: [{ node: first, reason: "new fans", now: false }],
    });
    await waitUntil("live.json has it", () =>
      shop.read("fans/runs/fans/live.json").includes('"drained":"drained until'),
    );
    t.match((await muster("status", job.run)).out, new RegExp(`${first}: 1 of 1 slot runs, 0 done, drained until .*`));
    t.match((await muster("nodes")).out, /! drained until .* \(new fans\)/);
    t.match(JSON.parse((await muster("nodes", "--json")).out).nodes, [
      { drain: { reason: "new fans" } },
      { drain: null },
    ]);
    t.match((await runMuster(["exec", "-i", inventory, "true"])).err, /^node\d: drained until .*\(new fans\)\n/);
    t.match((await muster("cache")).err, /^node\d: drained until/);
    t.match((await muster("doctor")).err, /node\d: drained until/);
    t.match((await muster("run", job.file, "--plan")).out, new RegExp(`${first}: no work\\n.*: it is drained until`));

    job.openGate(lab.nodes);
    const { code, err } = await running.ended;
    t.equal(code, 0, err);
    t.equal(chunksOn(job, first), 1, "the one that ran there");
    t.equal(chunksOn(job, second), 5);
    t.match(await muster("undrain", first), { code: 0, out: `${first}: no longer drained\n` });
    t.match(await muster("undrain", first), { code: 0, out: `${first}: was not drained\n` });
    t.match((await muster("drain")).out, "no node is drained\n");
  },
);

t.test("--now stops what runs there, and it runs elsewhere; a drained fleet is waited for", { skip }, async (t) => {
  const job = new KnownJob(shop, "empty", { chunks: 2, gate: true });
  const running = job.start(["-i", inventory]);
  await waitUntil("both nodes run a chunk", () => job.listRunning(lab.nodes).length === 2);
  t.equal((await muster("drain", first, "--now")).code, 0);
  const countRunning = () => shop.json<LiveRun>("empty/runs/empty/live.json").nodes[0]!.running;
  await waitUntil("nothing runs there", () => countRunning() === 0);
  t.equal((await muster("drain", second, "--until", "10s")).code, 0);
  await waitUntil("the run has seen it", () => running.stderr().includes(`${second}: drained`));
  job.openGate(lab.nodes);
  const { code, err } = await running.ended;
  t.equal(code, 0, err);
  t.match(err, new RegExp(`${first}: drained: it gets no new chunks; what runs there is stopped, and runs elsewhere`));
  t.match(err, new RegExp(`${second}: it is no longer drained`), "it ends by itself");
  t.equal(chunksOn(job, second), 2);
  await checkNodes(t, lab.nodes);
  t.equal((await muster("undrain", "*")).code, 0);
});

t.test("bad input", { skip }, async (t) => {
  const table: [words: string[], message: RegExp][] = [
    [["drain", "nodee1"], /no node or tag is called "nodee1"\n.*did you mean "node1"\?/],
    [["drain", first, "--until", "noon"], /--until noon: it must be a span of time/],
    [["drain", first, "--until", "2020-01-01"], /this time is past/],
    [["drain", first, "--reason", " "], /--reason must have 1 to 200 characters/],
    [["drain", "--until", "2h"], /name the nodes to drain/],
    [["undrain", "nodee1"], /did you mean "node1"\?/],
    [["undrain"], /missing required argument/],
  ];
  for (const [words, message] of table) {
    const { code, err } = await muster(...words);
    t.equal(code, 64, words.join(" "));
    t.match(err, message);
  }
  const alone = await runMuster(["drain", "x", "-i", "local"], { cwd: shop.folder });
  t.match(alone, { code: 64, err: /drains are kept beside an inventory, and there is none here/ });
  writeFileSync(join(folder, ".muster-drain.json"), "{");
  const refusal = { code: 65, err: /\.muster-drain\.json: does not hold drains\n +remove it/ };
  t.match(await muster("run", new KnownJob(shop, "undrained", { chunks: 1 }).file), refusal);
  t.match(await muster("drain", first), refusal);
  const others = await muster("nodes");
  t.match(others, { code: 0, out: /! drained\s+\([^)]*\.muster-drain\.json\s+is\s+damaged\)/ });
  t.notOk(existsSync(join(folder, ".muster-drain.json.partial")));
});
