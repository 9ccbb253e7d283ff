import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { LabNode } from "../lab/lab.js";
import { listLeftovers } from "../lab/leftovers.js";
import { DelayingProxy } from "../lab/proxy.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

t.setTimeout(600_000);

const { skip, shop, lab, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");

const LARGE_BYTES = 6 << 20;
const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");

/** The folder of cached contents on a node. */
const contentsOn = (node: LabNode) => join(node.root, "root/.muster/cache/contents");

/** A job whose chunks print the hashes of their inputs: one large file, 40 small ones, and a script in a project. */
function writeJob(folder: string) {
  const files: Record<string, Buffer> = { "data/large.bin": randomBytes(LARGE_BYTES) };
  for (let n = 0; n < 40; n++) files[`data/small${n}`] = randomBytes(3000 * (n + 1));
  for (const [path, content] of Object.entries(files)) {
    shop.write(`${folder}/${path}`, "");
    appendFileSync(join(shop.folder, folder, path), content);
  }
  const job = shop.write(`${folder}/job.json`, {
    name: "sums",
    kind: "tasks",
    command: ["sh", "-c", 'sha256sum "$@" > "$0"'],
    inputs: Object.keys(files),
    tasks: ["a", "b", "c", "d"].map((id) => ({
      id,
      args: [`${id}.txt`, ...Object.keys(files)],
      outputs: [`${id}.txt`],
    })),
  });
  const sums = Object.entries(files).map(([path, content]) => `${sha256(content)}  ${path}\n`);
  return { job, contents: Object.values(files), expected: sums.join("") };
}

/** A proxy before a node, and an inventory in which it stands for the node. */
async function measure(t: Test, node: LabNode) {
  const proxy = await DelayingProxy.start(node, 0);
  t.teardown(() => proxy.stop());
  appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${node.hostKey}\n`);
  const nodes = { [node.name]: { host: proxy.host, port: proxy.port } };
  return { proxy, through: lab.inventory({ file: `${node.name}-measured.yaml`, nodes }) };
}

t.afterEach(() => {
  for (const node of nodes) rmSync(join(node.root, "root/.muster"), { recursive: true, force: true });
});

t.test("a second run of the same job sends no input, and the run's end leaves only the cache", { skip }, async (t) => {
  const { job, contents, expected } = writeJob("twice");
  const [node] = nodes as [LabNode];
  const { proxy, through } = await measure(t, node);
  const sent: number[] = [];
  for (const run of ["first", "second"]) {
    const before = proxy.sentBytes;
    const words = ["run", job, "-i", through, "--limit", node.name, "--out", join(shop.folder, run)];
    const ran = await runMuster(words);
    t.equal(ran.code, 0, ran.err);
    for (const id of ["a", "b", "c", "d"]) t.equal(shop.read(`${run}/results/${id}.txt`), expected, `${run}: ${id}`);
    sent.push(proxy.sentBytes - before);
    t.same(listLeftovers(join(node.root, "root/.muster")), []);
  }
  const total = contents.reduce((sum, { length }) => sum + length, 0);
  t.ok(sent[0]! > total, `first: ${sent[0]} bytes for ${total} bytes of inputs`);
  t.ok(sent[1]! < 200_000, `second: ${sent[1]} bytes, of which 100,000 are the agent`);
  const cached = readdirSync(contentsOn(node));
  t.same(
    contents.map(sha256).filter((name) => !cached.includes(name)),
    [],
    "every input is in the cache",
  );
});

t.test("a cached input whose bytes were changed by hand is replaced, and that is reported", { skip }, async (t) => {
  const { job, contents, expected } = writeJob("damaged");
  const [node] = nodes as [LabNode];
  const run = (name: string) =>
    runMuster(["run", job, "-i", inventory, "--limit", node.name, "--out", join(shop.folder, name)]);
  t.equal((await run("d1")).code, 0);
  const path = join(contentsOn(node), sha256(contents[0]!));
  chmodSync(path, 0o644);
  const file = openSync(path, "r+");
  writeSync(file, "damage", 1000);
  closeSync(file);
  const ran = await run("d2");
  t.equal(ran.code, 0, ran.err);
  t.match(
    ran.err,
    new RegExp(`${node.name}: .*cache/contents/${sha256(contents[0]!)} was changed after it was stored`),
  );
  t.equal(shop.read("d2/results/a.txt"), expected);
  t.equal(sha256(readFileSync(path)), sha256(contents[0]!), "the cache has the right bytes again");
});

t.test("a budget that is smaller than the job's files refuses the job before anything runs", { skip }, async (t) => {
  const { job } = writeJob("large");
  const tight = lab.inventory({ file: "tight.yaml", defaults: { cache: "5MiB" } });
  const refused = await runMuster(["run", job, "-i", tight]);
  t.equal(refused.code, 65);
  t.match(
    refused.err,
    /node1: its cache may hold 5\.0 MiB \(`cache` in the inventory\), and the job's files have 8\.\d MiB/,
  );
  t.match(refused.err, /Raise `cache` of these nodes/);
  for (const node of nodes) t.notOk(existsSync(join(node.root, "root/.muster")), "no node was contacted");
  const mixed = lab.inventory({ file: "mixed.yaml", nodes: { node1: { cache: "5MiB" } } });
  const ran = await runMuster(["run", job, "-i", mixed, "--out", join(shop.folder, "mixed")]);
  t.equal(ran.code, 0, ran.err);
  t.match(`${ran.err}${ran.out}`, /node1.*its cache may hold 5\.0 MiB/, "a node whose cache is too small is left out");
  t.same(new Set(shop.results("mixed").map(({ node }) => node)), new Set(["node2"]));
});

t.test("a budget of 0 refuses no job, and keeps nothing after a run", { skip }, async (t) => {
  const [node] = nodes as [LabNode];
  const none = lab.inventory({ file: "none.yaml", defaults: { cache: 0 } });
  const { job, expected } = writeJob("uncached");
  const ran = await runMuster(["run", job, "-i", none, "--limit", node.name, "--out", join(shop.folder, "nocache")]);
  t.equal(ran.code, 0, ran.err);
  for (const id of ["a", "b", "c", "d"]) t.equal(shop.read(`nocache/results/${id}.txt`), expected);
  t.same(readdirSync(contentsOn(node)), []);
});

t.test("the end of a run brings the cache within its budget: what was used last stays", { skip }, async (t) => {
  const [node] = nodes as [LabNode];
  const ten = lab.inventory({ file: "ten.yaml", defaults: { cache: "10MiB" } });
  const jobs = ["old", "new"].map((name) => writeJob(name));
  for (const [index, { job }] of jobs.entries()) {
    const out = join(shop.folder, `budget${index}`);
    const ran = await runMuster(["run", job, "-i", ten, "--limit", node.name, "--out", out]);
    t.equal(ran.code, 0, ran.err);
  }
  const cached = readdirSync(contentsOn(node));
  const size = cached.reduce((sum, name) => sum + statSync(join(contentsOn(node), name)).size, 0);
  t.ok(size <= 10 << 20, `${size} bytes are left`);
  t.same(
    jobs[1]!.contents.map(sha256).filter((name) => !cached.includes(name)),
    [],
    "all of the last job",
  );
  t.notOk(cached.includes(sha256(jobs[0]!.contents[0]!)), "not the large file of the first one");
});

t.test("two runs that stage the same file at once send it once", { skip }, async (t) => {
  const { job, contents, expected } = writeJob("both");
  const [node] = nodes as [LabNode];
  const { proxy, through } = await measure(t, node);
  proxy.setLatency(20);
  const ran = await Promise.all(
    ["both1", "both2"].map((run) =>
      runMuster(["run", job, "-i", through, "--limit", node.name, "--out", join(shop.folder, run)]),
    ),
  );
  for (const { code, err } of ran) t.equal(code, 0, err);
  for (const run of ["both1", "both2"]) t.equal(shop.read(`${run}/results/a.txt`), expected);
  const total = contents.reduce((sum, { length }) => sum + length, 0);
  t.ok(proxy.sentBytes < 1.5 * total, `${proxy.sentBytes} bytes for ${total} bytes of inputs`);
});

t.test(
  "two runs that start at once send their project once, also where they share only a part of it",
  { skip },
  async (t) => {
    const [node] = nodes as [LabNode];
    const { proxy, through } = await measure(t, node);
    proxy.setLatency(20);
    const common = Array.from({ length: 12 }, () => randomBytes(500_000));
    const projects = ["project1", "project2"].map((folder) => {
      for (const [n, content] of [...common, randomBytes(300_000)].entries()) {
        shop.write(`${folder}/part${n}`, "");
        appendFileSync(join(shop.folder, folder, `part${n}`), content);
      }
      const task = { id: "a", args: ["a.txt"], outputs: ["a.txt"] };
      const command = ["sh", "-c", 'cat part* | sha256sum > "$0"'];
      return shop.write(`${folder}/job.json`, { name: folder, kind: "tasks", project: ".", command, tasks: [task] });
    });
    const ran = await Promise.all(
      projects.map((job, n) =>
        runMuster(["run", job, "-i", through, "--limit", node.name, "--out", join(shop.folder, `shared${n}`)]),
      ),
    );
    for (const { code, err } of ran) t.equal(code, 0, err);
    const parts = (folder: string) => readdirSync(join(shop.folder, folder)).filter((name) => name.startsWith("part"));
    for (const [n, folder] of ["project1", "project2"].entries()) {
      const bytes = parts(folder)
        .sort()
        .map((name) => readFileSync(join(shop.folder, folder, name)));
      t.equal(shop.read(`shared${n}/results/a.txt`), `${sha256(Buffer.concat(bytes))}  -\n`);
    }
    t.ok(proxy.sentBytes < 1.5 * 6_600_000, `${proxy.sentBytes} bytes for 6,600,000 bytes in two projects`);
  },
);

t.test("a cache that another user owns is not used, and that is reported", { skip }, async (t) => {
  const { job, expected } = writeJob("foreign");
  const [node] = nodes as [LabNode];
  mkdirSync(join(node.root, "root/.muster/cache"), { recursive: true });
  chownSync(join(node.root, "root/.muster/cache"), 1234, 1234);
  for (const run of ["foreign1", "foreign2"]) {
    const ran = await runMuster(["run", job, "-i", inventory, "--limit", node.name, "--out", join(shop.folder, run)]);
    t.equal(ran.code, 0, ran.err);
    t.match(ran.err, /node1: the cache \S+\/cache\/contents is not used, .*belongs to uid 1234; have root remove it/);
    t.equal(shop.read(`${run}/results/a.txt`), expected);
  }
});

t.test("muster cache shows what lies on each node, and prunes it", { skip }, async (t) => {
  const { job, contents } = writeJob("shown");
  const [node] = nodes as [LabNode];
  const ran = await runMuster([
    "run",
    job,
    "-i",
    inventory,
    "--limit",
    node.name,
    "--out",
    join(shop.folder, "shown1"),
  ]);
  t.equal(ran.code, 0, ran.err);
  const total = contents.reduce((sum, { length }) => sum + length, 0);
  const shown = await runMuster(["cache", "-i", inventory, "--json"]);
  t.equal(shown.code, 0, shown.err);
  const [first, second] = JSON.parse(shown.out).nodes;
  t.match(first, { node: node.name, usedBytes: 0, builds: { count: 0 } });
  t.ok(first.bytes >= total && first.entries.length >= contents.length && first.oldest >= 0);
  t.match(second, { node: "node2", count: 0, entries: [] });
  const table = await runMuster(["cache", "show", "-i", inventory, "-q", "-v"]);
  t.same({ code: table.code, out: table.out, err: table.err }, { code: 0, out: "", err: "" });
  const text = await runMuster(["cache", "-v", "-i", inventory]);
  t.match(text.out, /^node {3}size +limit +files +builds +in use +last used\nnode1 {2}8\.\d MiB .* ago$/m);
  t.match(text.out, new RegExp(`file +6\\.0 MiB  ${sha256(contents[0]!)}  used `));
  t.match(text.out, /^node2 +empty$/m);
  const tight = lab.inventory({ file: "prune.yaml", defaults: { cache: "1MiB" } });
  const pruned = JSON.parse((await runMuster(["cache", "prune", "-i", tight, "--json"])).out).nodes[0];
  t.equal(pruned.limit, 1 << 20);
  t.ok(pruned.bytes <= 1 << 20 && pruned.removed > 0, JSON.stringify(pruned).slice(0, 200));
  const emptied = await runMuster(["cache", "prune", "--all", "-i", inventory]);
  t.match(emptied, { code: 0, out: /^node1 +empty$/m });
  t.same(readdirSync(contentsOn(node)), []);
});

t.test("muster cache refuses what it does not know, and names a node that it cannot reach", { skip }, async (t) => {
  t.match(await runMuster(["cache", "prnue", "-i", inventory]), { code: 64, err: /did you mean "?prune/ });
  t.match(await runMuster(["cache", "--all", "-i", inventory]), { code: 64, err: /--all belongs to/ });
  const wrong = lab.inventory({ file: "wrong.yaml", nodes: { node2: { python: "/no/python" } } });
  t.match(await runMuster(["cache", "-i", wrong]), { code: 3, out: /node2 +not usable\n +the cache cannot be read: / });
});
