import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type MusterResult, runMuster } from "../cli/startmuster.js";
import { listLeftovers } from "../lab/leftovers.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks, readResultLines } from "./checks.js";
import { KnownJob, type KnownJobOptions } from "./knownjob.js";

// A user who is not root: permissions hold.
const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 2, gpus: 0, user: "rig" }, "disks of nodes");
const node = nodes[0]!;

const root = (script: string) => node.exec(["sh", "-c", `set -e; ${script}`]);

/** An inventory in which the first node works in /small, a file system of its own; undone after the test. */
async function small(name: string, options: string): Promise<string> {
  await root(`mkdir /small; mount -t tmpfs -o ${options} tmpfs /small`);
  return lab.inventory({ file: `${name}.yaml`, nodes: { [node.name]: { workdir: "/small/muster" } } });
}

/** Returns what was left there; the cache of the node is not counted. */
async function unmount(): Promise<string[]> {
  const disk = join(node.root, "small");
  const left = [...readdirSync(disk).filter((name) => name !== "muster"), ...listLeftovers(join(disk, "muster"))];
  await root("umount /small; rmdir /small");
  return left;
}

function known(name: string, shape: KnownJobOptions): KnownJob {
  return new KnownJob(shop, name, shape);
}

t.test("attempts on a node with a full disk fail with that reason, others continue", { skip }, async (t) => {
  const inventory = await small("full", "size=6m,mode=1777");
  const job = known("full", { chunks: 12, size: 2_000_000, job: { retry: { attempts: 5, backoff: "50ms" } } });
  await root("head -c 5000000 /dev/zero >/small/other-program");
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, /node1: .*failed attempt/);
  t.match(ran.err, /the disk is full: [\d.]+ \w+ of 6.0 MiB are free in \/small\/muster\/runs\//);
  t.match(ran.err, /node1: slot \d gets no work for 60 s: the disk is full/);
  checkResults(t, job);
  t.same([...new Set(readResultLines(job).map((line) => line.node))], ["node2"]);
  t.same(await unmount(), ["other-program"], "nothing of muster is left there");
  await checkNodes(t, lab.nodes);
});

t.test("a full disk uses up no tries: the run continues once there is room", { skip }, async (t) => {
  const inventory = await small("roomy", "size=6m,mode=1777");
  const job = known("roomy", { chunks: 3, size: 2_000_000, job: { retry: { attempts: 1, backoff: "50ms" } } });
  await root("head -c 5000000 /dev/zero >/small/other-program");
  const running = job.start(["-i", inventory, "--limit", node.name]);
  await waitUntil("the node rests", () => /the disk is full/.test(running.stderr()));
  await root("rm /small/other-program");
  const ran = await running.ended;
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.err, /given up/);
  checkResults(t, job);
  t.same(await unmount(), [], "nothing of muster is left there");
  await checkNodes(t, lab.nodes);
});

t.test("no space for an input: it is not uploaded, and the free space is reported", { skip }, async (t) => {
  const inventory = await small("room", "size=40m,mode=1777");
  const job = known("room", { chunks: 6, job: { inputs: ["big.bin"], retry: { attempts: 5, backoff: "50ms" } } });
  writeFileSync(join(shop.folder, "room", "big.bin"), Buffer.alloc(4_000_000));
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /only [\d.]+ \w+ are free in \/small\/muster/);
  checkResults(t, job);
  t.same(await unmount(), []);
  await checkNodes(t, lab.nodes);
});

t.test("where an input has no room, what the cache holds for no run makes room first", { skip }, async (t) => {
  const name = "crowded";
  await small(name, "size=130m,mode=1777");
  const change = { workdir: "/small/muster", cache: "100MiB" };
  const inventory = lab.inventory({ file: `${name}.yaml`, nodes: { [node.name]: change } });
  const contents = join(node.root, "small/muster/cache/contents");
  const cached: string[] = [];
  for (const run of ["first", "second"]) {
    const job = known(`${name}-${run}`, { chunks: 2, job: { inputs: ["big.bin"], retry: { attempts: 1 } } });
    const big = randomBytes(34 << 20);
    writeFileSync(join(shop.folder, `${name}-${run}`, "big.bin"), big);
    const ran = await job.muster(["-i", inventory, "--limit", node.name]);
    t.equal(ran.code, 0, ran.err);
    t.notMatch(ran.err, /are free in/);
    checkResults(t, job);
    cached.push(createHash("sha256").update(big).digest("hex"));
    t.ok(existsSync(join(contents, cached.at(-1)!)), `${run}: it is in the cache`);
  }
  t.notOk(existsSync(join(contents, cached[0]!)), "the input of the first run made room");
  t.same(await unmount(), []);
});

t.test("a node whose work directory is not writable gets no work, with the reason", { skip }, async (t) => {
  const inventory = await small("readonly", "size=6m,ro");
  const job = known("readonly", { chunks: 6 });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, /node1: 0 chunks.*\(.*Read-only file system \(\/small\/muster\)/);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
  t.same(await unmount(), []);
  await checkNodes(t, lab.nodes);
});

/** A chunk that leaves its folder in a bad state. */
function messy(
  name: string,
  mess: string,
  keys: Record<string, unknown> = {},
  count = 8,
): { file: string; run: string } {
  const script = `#!/bin/sh\nn=$1\necho "$n" > r.txt\n${mess}\n`;
  shop.write(`${name}/messy.sh`, script, 0o755);
  const file = shop.write(`${name}/job.yaml`, {
    name,
    kind: "matrix",
    matrix: { n: [0, count] },
    script: "messy.sh",
    args: ["{n}"],
    outputs: ["r.txt"],
    ...keys,
  });
  return { file, run: join(shop.folder, name, "runs", name) };
}

async function runMessy(job: { file: string }): Promise<MusterResult> {
  return runMuster(["run", job.file, "-i", lab.inventory()]);
}

function checkEach(t: Test, run: string, count = 8): void {
  const chunks = Array.from({ length: count }, (_, n) => `n=${n}`);
  t.same(committedChunks(run).sort(), chunks, "every chunk is committed once");
  for (const [n, chunk] of chunks.entries())
    t.equal(shop.read(join(run.slice(shop.folder.length), "results", chunk, "r.txt")), `${n}\n`);
}

t.test("folders that a chunk locked and links that lead elsewhere are removed, too", { skip }, async (t) => {
  await root("mkdir -p /srv/keep; : >/srv/keep/file; chmod 777 /srv/keep");
  const job = messy("locked", "mkdir -p a/b; : > a/b/c; ln -s /srv/keep link; chmod 0 a/b; chmod 0 a; chmod 500 .");
  const ran = await runMessy(job);
  t.equal(ran.code, 0, ran.err);
  checkEach(t, job.run);
  t.ok(existsSync(join(node.root, "srv/keep/file")), "what a link leads to stays");
  await checkNodes(t, lab.nodes);
});

t.test("files that cannot be removed from a node are reported once the result is safe", { skip }, async (t) => {
  // What belongs to another user, in a folder of that user's.
  const job = messy("owned", "while [ ! -e keep ]; do sleep 0.1; done");
  const running = runMessy(job);
  let over = false;
  void running.then(() => {
    over = true;
  });
  while (!over) {
    for (const { pid, argv } of lab.nodes.flatMap((one) => one.processes()))
      if (argv.some((word) => word.endsWith("messy.sh"))) own(`/proc/${pid}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const ran = await running;
  t.equal(ran.code, 0, ran.err);
  checkEach(t, job.run);
  t.match(ran.err, /could not be removed/);
  for (const one of lab.nodes) {
    t.same(await one.quiet(30), []);
    await one.exec(["rm", "-r", "/home/rig/.muster"]).catch(() => {});
  }
});

/** Puts a folder of root's with a file in it into the working directory of a process. */
function own(process_: string): void {
  try {
    const folder = join(process_, "cwd");
    if (existsSync(join(folder, "keep"))) return;
    mkdirSync(join(folder, "making"));
    writeFileSync(join(folder, "making", "file"), "");
    renameSync(join(folder, "making"), join(folder, "keep"));
  } catch {
    // It has ended meanwhile, or is being made.
  }
}

t.test("the logs of a chunk that prints gigabytes are cut while it runs, which is reported", { skip }, async (t) => {
  const inventory = await small("print", "size=500m,mode=1777");
  const job = messy("print", "head -c 4000000000 /dev/zero; echo end", {}, 1);
  const ran = await runMuster(["run", job.file, "-i", inventory, "--limit", node.name]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, /was truncated to 16.0 MiB per log/);
  const log = shop.read(`print/runs/print/logs/n=0.out`);
  t.ok(log.length < 20 << 20, `${log.length} bytes`);
  t.match(log, /\[muster: this log grew past \d+ bytes; its middle was dropped\]/);
  t.ok(log.endsWith("end\n"));
  t.same(await unmount(), []);
});
