import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { pciAddress } from "../lab/fakegpus.js";
import type { LabNode } from "../lab/labnode.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, type TestFolder } from "./startmuster.js";

const GPUS = 4;
const labs = {
  amd: await shareLab(t, { nodes: ["amd"], gpus: GPUS, vendor: "amd" }, "GPUs"),
  nvidia: await shareLab(t, { nodes: ["nvidia"], gpus: GPUS, vendor: "nvidia" }, "GPUs"),
};
const { skip } = labs.amd;

/**
 * Holds a file for each card that it is bound to while it works, and fails where another chunk has one of them. Its result: the
 * indices of its cards, as its binding and as muster name them.
 */
const WORKER = `import json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
bound = os.environ.get("HIP_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES"))
cards = bound.split(",")
for card in cards: os.close(os.open("/var/tmp/card-" + card, os.O_CREAT | os.O_EXCL))
with open("/var/tmp/begun", "a") as file: file.write(bound + " ")
try:
    time.sleep(float(sys.argv[2]))
    while os.path.exists("/var/tmp/wait"): time.sleep(0.02)
finally:
    for card in cards: os.unlink("/var/tmp/card-" + card)
names = ("CUDA_DEVICE_ORDER", "MUSTER_GPU", "MUSTER_GPUS")
json.dump({"bound": bound, "words": sys.argv[3:], **{name: os.environ.get(name) for name in names}}, open(sys.argv[1], "w"))
`;

interface Line {
  chunk: string;
  slot: number;
  gpus: number[];
  cards: { pci: string; model: string; uuid?: string }[];
  output: { bound: string; words: string[]; MUSTER_GPU: string; MUSTER_GPUS: string; CUDA_DEVICE_ORDER: string | null };
}

function writeJob(shop: TestFolder, name: string, keys: object): string {
  shop.write(`${name}/w.py`, WORKER);
  return shop.write(`${name}/job.yaml`, { name, script: "w.py", ...keys });
}

const pairs = (count: number, words: string[]) => ({
  ...{ kind: "matrix", matrix: { n: [0, count] }, outputs: ["r.json"] },
  ...{ args: ["r.json", ...words], needs: { gpus: 2 } },
});

/** Tasks that need these numbers of GPUs. */
const mix = (counts: number[], seconds: string) => ({
  kind: "tasks",
  tasks: counts.map((gpus, n) => ({
    ...{ id: `t${n}`, needs: { gpus }, outputs: [`t${n}.json`], args: [`t${n}.json`, seconds] },
  })),
});

const readLines = (shop: TestFolder, name: string) => shop.results(`${name}/runs/${name}`) as unknown as Line[];
const begun = (node: LabNode) => {
  const file = join(node.root, "var/tmp/begun");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ") : [];
};

/** Compares what muster says of each chunk's GPUs with what its program saw. */
function checkLines(t: Test, lines: Line[]): void {
  for (const { slot, gpus, cards, output } of lines) {
    t.same(
      cards.map(({ pci }) => pci),
      gpus.map(pciAddress),
    );
    for (const { model, uuid } of cards) t.match(`${model} ${uuid ?? "GPU-"}`, /^(RX 6600|RTX 3080 Ti) GPU-/);
    t.same(output.bound, gpus.join(","), "bound to the GPUs that its result names");
    t.equal(output.MUSTER_GPUS, gpus.join(","));
    t.equal(output.MUSTER_GPU, `${gpus[0]}`);
    t.equal(slot, gpus[0]);
  }
}

for (const vendor of ["amd", "nvidia"] as const) {
  const { shop, inventory } = labs[vendor];
  t.test(`${vendor}: chunks get several GPUs of one node`, { skip }, async (t) => {
    const job = writeJob(shop, "pairs", pairs(6, ["0.1", "{gpu}", "{gpus}"]));
    const ran = await runMuster(["run", job, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    const lines = readLines(shop, "pairs");
    t.equal(lines.length, 6);
    checkLines(t, lines);
    t.same([...new Set(lines.map(({ gpus }) => gpus.join()))].sort(), ["0,1", "2,3"], "two chunks at a time");
    t.same(lines[0]!.output.words, [`${lines[0]!.gpus[0]}`, lines[0]!.gpus.join()]);
    t.equal(lines[0]!.output.CUDA_DEVICE_ORDER, vendor === "nvidia" ? "PCI_BUS_ID" : null);
  });

  t.test(`${vendor}: tasks that need one, two and three GPUs share a node`, { skip }, async (t) => {
    const counts = Array.from({ length: 24 }, (_, n) => [1, 1, 2, 1, 3, 1][n % 6]!);
    const job = writeJob(shop, "mixed", mix(counts, "0.1"));
    const ran = await runMuster(["run", job, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    const lines = readLines(shop, "mixed");
    t.equal(lines.length, 24);
    checkLines(t, lines);
    for (const { chunk, gpus } of lines) t.equal(gpus.length, counts[Number(chunk.slice(1))]);
  });
}

t.test("a task that needs more GPUs than any node has is named before anything runs", { skip }, async (t) => {
  const { shop, lab } = labs.amd;
  const job = writeJob(shop, "few", mix([1, 5], "0"));
  const known = lab.inventory({ file: "known.yaml", node: { gpus: GPUS } });
  const refused = await runMuster(["validate", job, "-i", known]);
  t.equal(refused.code, 65);
  t.match(refused.err, /tasks\[1\]\.needs\.gpus is 5, and no node has more than 4 \(amd\)/);
  const unknown = lab.inventory({ file: "unknown.yaml", node: { gpus: undefined } });
  const ran = await runMuster(["run", job, "-i", unknown]);
  t.equal(ran.code, 3, ran.err);
  t.match(ran.err, /failed: chunk t1, attempt 1: no slot fits/);
  t.match(ran.err, /the chunk needs 5 GPUs, and the node has 4 that can be used/);
  t.equal(readLines(shop, "few").length, 1, "the other task is done");
});

t.test("a card vanishes while it is half of a pair: the chunk runs again on two others", { skip }, async (t) => {
  const { shop, lab } = labs.amd;
  const inventory = lab.inventory({ defaults: { gpu_check: "200ms" } });
  const node = lab.nodes[0]!;
  rmSync(join(node.root, "var/tmp/begun"), { force: true });
  writeFileSync(join(node.root, "var/tmp/wait"), "");
  const job = writeJob(shop, "half", pairs(5, ["0"]));
  const run = watchMuster(startMuster(["run", job, "-i", inventory]));
  await waitUntil("both pairs work", () => begun(node).length === 2);
  node.setGpus({ absent: [1] });
  await waitUntil("slot 1 is disabled", () => run.stderr().includes("slot 1 is disabled"));
  await waitUntil("its pair is evicted", () => !existsSync(join(node.root, "var/tmp/card-1")));
  rmSync(join(node.root, "var/tmp/wait"));
  t.match(run.stderr(), `slot 1 is disabled: GPU ${pciAddress(1)}: `);
  const { code, err } = await run.ended;
  t.equal(code, 0, err);
  const lines = readLines(shop, "half");
  t.equal(lines.length, 5);
  t.notOk(
    lines.some(({ gpus }) => gpus.includes(1)),
    "no result comes from the lost card",
  );
});

t.test("two runs on the same cards never have one at the same time, and both end", { skip }, async (t) => {
  const { shop, inventory } = labs.nvidia;
  const [first, second] = [
    writeJob(shop, "first", mix([2, 2, 3, 1, 2, 2], "0.2")),
    writeJob(shop, "second", mix([1, 3, 1, 2, 1, 3, 1, 1], "0.2")),
  ];
  const runs = await Promise.all([first, second].map((job) => runMuster(["run", job, "-i", inventory])));
  for (const { code, err } of runs) t.equal(code, 0, err);
  for (const name of ["first", "second"]) checkLines(t, readLines(shop, name));
  t.match(runs.map(({ err }) => err).join(""), /slot \d waits for run/, "one said what it waited for");
});

t.test("the example compares four models, one of them on two GPUs", { skip }, async (t) => {
  const { shop, inventory } = labs.nvidia;
  shop.example("models");
  const ran = await runMuster(["run", "models/job.yaml", "-i", inventory], { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  const lines = shop.results("models/runs/models") as unknown as { chunk: string; output: { devices: string[] } }[];
  t.same(
    lines.map(({ chunk, output }) => `${chunk} ${output.devices}`),
    ["mean cuda:0", "linear cuda:0", "stump cuda:0", "network cuda:0,cuda:1"],
  );
});
