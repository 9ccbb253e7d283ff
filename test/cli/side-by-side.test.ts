import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder } from "./startmuster.js";

const { skip, shop, nodes, lab } = await shareLab(t, { nodes: ["rig"], gpus: 4, vendor: "amd" }, "GPUs");
const here = new TestFolder();
t.teardown(() => here.remove());

/** A worker that counts how many of its kind are at work, in a folder on its node; its result is what it saw when it began. */
const WORKER = `import fcntl, json, os, sys, time
os.makedirs(sys.argv[1], exist_ok=True)
def count(change):
    with open(os.path.join(sys.argv[1], "now"), "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        now = int(file.read() or 0) + change
        file.truncate(0)
        file.write(str(now))
        return now
began = time.monotonic()
seen = count(1)
time.sleep(float(sys.argv[2]))
count(-1)
json.dump([seen, os.environ["MUSTER_SLOT"], began, time.monotonic()], open("r.json", "w"))
`;

/** Writes a job whose chunks count themselves in the folder `census`; returns its file. */
function writeJob(folder: TestFolder, name: string, census: string, chunks: number, seconds: number): string {
  folder.write(`${name}/w.py`, WORKER);
  return folder.write(`${name}/job.yaml`, {
    name,
    kind: "matrix",
    matrix: { n: [0, chunks] },
    script: "w.py",
    args: [census, `${seconds}`, "{n}"],
    outputs: ["r.json"],
  });
}

interface CountedChunk {
  run: string;
  node: string;
  slot: number;
  seen: number;
  from: number;
  to: number;
}

function readChunks(folder: TestFolder, run: string): CountedChunk[] {
  const lines = folder.results(run) as unknown as {
    node: string;
    slot: number;
    output: [number, string, number, number];
  }[];
  return lines.map(({ node, slot, output: [seen, , from, to] }) => ({ run, node, slot, seen, from, to }));
}

/** Whether chunks of one run started before the other run's last chunk, and the other way round. */
function areInterleaved(one: CountedChunk[], other: CountedChunk[]): boolean {
  const first = (chunks: CountedChunk[]) => Math.min(...chunks.map(({ from }) => from));
  const last = (chunks: CountedChunk[]) => Math.max(...chunks.map(({ to }) => to));
  return first(one) < last(other) && first(other) < last(one);
}

const mostOf = (chunks: CountedChunk[]) => Math.max(...chunks.map(({ seen }) => seen));

function writeInventory(name: string, nodes: Record<string, object>): string {
  return here.write(`${name}.json`, {
    defaults: { workdir: join(here.folder, "work") },
    nodes: Object.fromEntries(Object.entries(nodes).map(([name, keys]) => [name, { connection: "local", ...keys }])),
  });
}

/** Pids of agents on this machine that work in the test's folder. */
function findAgents(run: string): number[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const folder = readlinkSync(`/proc/${pid}/cwd`);
      const isAgent = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("attach");
      return isAgent && folder.includes(`${here.folder}/work/runs/${run}-`) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}

t.test("two runs on one machine share its CPU slots", async (t) => {
  const inventory = writeInventory("pair", { here: { slots: 2 } });
  const census = join(here.folder, "census-pair");
  const start = (name: string) =>
    watchMuster(startMuster(["run", writeJob(here, name, census, 24, 0.5), "-i", inventory]));
  const first = start("first");
  await waitUntil("the first works", () => existsSync(join(census, "now")));
  const second = start("second");
  await waitUntil("the second waits", () => /slot [01] waits for run first/.test(second.stderr()));
  const one = await first.ended;
  const two = await second.ended;
  t.equal(one.code, 0, one.err);
  t.equal(two.code, 0, two.err);
  const [ofFirst, ofSecond] = [readChunks(here, "first/runs/first"), readChunks(here, "second/runs/second")];
  t.equal(mostOf([...ofFirst, ...ofSecond]), 2, "both slots were used, and no slot twice");
  t.ok(areInterleaved(ofFirst, ofSecond), "the second began before the first was done");
  t.match(two.err, /slot [01] is free again/);
});

t.test("a run whose agent is killed frees its CPU slots for the other, and both end", async (t) => {
  const inventory = writeInventory("killed", { here: { slots: 2 } });
  const start = (name: string, seconds: number) =>
    watchMuster(
      startMuster(["run", writeJob(here, name, join(here.folder, `census-${name}`), 6, seconds), "-i", inventory]),
    );
  const first = start("doomed", 4);
  await waitUntil("the first works", () => findAgents("doomed").length > 0);
  const second = start("survivor", 0.1);
  await waitUntil("the second waits for both slots", () => second.stderr().split("waits for run doomed").length === 3);
  for (const pid of findAgents("doomed")) process.kill(pid, "SIGKILL");
  const two = await second.ended;
  t.equal(two.code, 0, two.err);
  const one = await first.ended;
  t.equal(one.code, 0, one.err);
});

t.test("steps of a pipeline that do not need one another share the CPU slots", async (t) => {
  const inventory = writeInventory("steps", { here: { slots: 2 } });
  const census = join(here.folder, "census-steps");
  const jobs = ["left", "right"].map((name) => writeJob(here, name, census, 20, 0.5));
  const steps = Object.fromEntries(jobs.map((job, index) => [["left", "right"][index]!, { job }]));
  const ran = await runMuster(["run", here.write("both.yaml", { name: "both", steps }), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  const [left, right] = ["left", "right"].map((step) => readChunks(here, `runs/both/${step}`)) as [
    CountedChunk[],
    CountedChunk[],
  ];
  t.equal(mostOf([...left, ...right]), 2);
  t.ok(areInterleaved(left, right), "both make progress");
});

t.test("a run that knows one machine by two names has the CPU slots of both", async (t) => {
  const inventory = writeInventory("names", { narrow: { slots: 1 }, wide: { slots: 3 } });
  const census = join(here.folder, "census-names");
  const ran = await runMuster(["run", writeJob(here, "names", census, 40, 0.4), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.equal(mostOf(readChunks(here, "names/runs/names")), 4);
});

t.test("max_concurrent of a node holds for two runs on different GPUs", { skip }, async (t) => {
  const inventory = lab.inventory({ node: { max_concurrent: 2 } });
  const start = (name: string) =>
    watchMuster(startMuster(["run", writeJob(shop, name, "/var/tmp/census", 24, 0.5), "-i", inventory]));
  const first = start("left");
  await waitUntil("the first works", () => nodes[0]!.processes().some(({ argv }) => argv.includes("w.py")));
  const second = start("right");
  const [one, two] = [await first.ended, await second.ended];
  t.equal(one.code, 0, one.err);
  t.equal(two.code, 0, two.err);
  const [left, right] = [readChunks(shop, "left/runs/left"), readChunks(shop, "right/runs/right")];
  t.equal(mostOf([...left, ...right]), 2, "the node has four GPUs, and never more than two chunks");
  t.ok(areInterleaved(left, right), "both make progress");
});
