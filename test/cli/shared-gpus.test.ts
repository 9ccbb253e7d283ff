import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { findAgentPid } from "../faults/checks.js";
import { watchMuster } from "../faults/knownjob.js";
import { pciAddress } from "../lab/fakegpus.js";
import type { LabNode } from "../lab/labnode.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, type TestFolder } from "./startmuster.js";

t.setTimeout(600_000);

/**
 * Holds one of two places on its card, and fails where both are taken, or another run has one. Works for a while, and until the file `wait`
 * is gone. Its result: its binding, and how many chunks the card had when it came.
 */
const WORKER = `import json, os, sys, time
out, run, seconds = sys.argv[1:]
card = os.environ.get("HIP_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES"))
folder = "/var/tmp/card-" + card
os.makedirs(folder, exist_ok=True)
place = os.path.join(folder, run + "-" + str(os.getpid()))
open(place, "w").close()
present = os.listdir(folder)
if len(present) > 2 or any(not one.startswith(run + "-") for one in present): sys.exit("card %s has %s" % (card, present))
with open("/var/tmp/begun", "a") as file: file.write(card + " ")
try:
    time.sleep(float(seconds))
    while os.path.exists("/var/tmp/wait"): time.sleep(0.02)
finally:
    os.unlink(place)
json.dump({"card": card, "present": len(present), "gpu": os.environ["MUSTER_GPU"], "slot": int(os.environ["MUSTER_SLOT"])}, open(out, "w"))
`;

/** Takes chunks from muster's worker library; each result names its process. */
const WARM = `import json, muster, os
for chunk in muster.chunks():
    with open("r.json", "w") as file: json.dump({"pid": os.getpid(), "card": os.environ["MUSTER_GPU"]}, file)
`;

interface Line {
  slot: number;
  gpus: number[];
  cards: { pci: string }[];
  output: { card: string; present: number; gpu: string; slot: number; pid: number };
}

function writeJob(shop: TestFolder, name: string, chunks: number, seconds: number, keys: object = {}): string {
  shop.write(`${name}/w.py`, WORKER);
  return shop.write(`${name}/job.yaml`, {
    ...{ name, kind: "matrix", matrix: { n: [0, chunks] }, script: "w.py", outputs: ["r.json"] },
    ...{ args: ["r.json", name, `${seconds}`], needs: { gpu_share: 0.5 }, ...keys },
  });
}

const readLines = (shop: TestFolder, name: string) => shop.results(`${name}/runs/${name}`) as unknown as Line[];
const readBegun = (node: LabNode) => {
  const file = join(node.root, "var/tmp/begun");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ") : [];
};

const countWorkers = (node: LabNode) =>
  node.processes().filter(({ argv }) => argv.some((word) => word.endsWith("w.py"))).length;

/** Compares what muster says of each chunk's slot and GPU with what its program saw. */
function checkLines(t: Test, lines: Line[]): void {
  for (const { slot, gpus, cards, output } of lines) {
    t.equal(output.slot, slot);
    t.same([output.card, output.gpu], [gpus.join(), gpus.join()]);
    t.same(
      cards.map(({ pci }) => pci),
      gpus.map(pciAddress),
    );
  }
}

for (const vendor of ["amd", "nvidia"] as const)
  t.test(vendor, async (t) => {
    const name = { amd: "rig", nvidia: "zeus" }[vendor];
    const { skip, shop, lab, nodes, inventory } = await shareLab(t, { nodes: [name], gpus: 2, vendor }, "GPUs");
    const node = nodes[0]!;
    const wait = join(node?.root ?? "", "var/tmp/wait");
    const begin = (job: string, inventoryFile = inventory) =>
      watchMuster(startMuster(["run", job, "-i", inventoryFile]));

    t.test("two chunks of a run share each GPU", { skip }, async (t) => {
      const ran = await runMuster(["run", writeJob(shop, "halves", 16, 1), "-i", inventory]);
      t.equal(ran.code, 0, ran.err);
      const lines = readLines(shop, "halves");
      t.equal(lines.length, 16);
      checkLines(t, lines);
      for (const gpu of [0, 1])
        t.equal(new Set(lines.filter(({ gpus }) => gpus[0] === gpu).map(({ slot }) => slot)).size, 2);
      t.ok(lines.filter(({ output }) => output.present === 2).length >= 8, "they were there at the same time");
    });

    t.test(
      "per_gpu of the inventory says so as well, unless the job needs whole GPUs or more memory",
      { skip },
      async (t) => {
        const shared = lab.inventory({ file: "shared.yaml", node: { per_gpu: 2, gpus: 2 } });
        const count = async (needs: object) => {
          const plan = await runMuster([
            "run",
            writeJob(shop, "plan", 8, 0, { needs }),
            "-i",
            shared,
            "--plan",
            "--json",
          ]);
          return (JSON.parse(plan.out) as { nodes: { slots: number }[] }).nodes[0]!.slots;
        };
        t.equal(await count({ gpus: 1 }), 4);
        t.equal(await count({ gpu_share: 1 }), 2);
        t.equal(await count({ gpus: 2 }), 2);
        t.equal(await count({ gpus: 1, vram: "4GiB" }), 4);
        t.equal(await count({ gpus: 1, vram: "7GiB" }), 2);
        const beyond = await runMuster([
          "run",
          writeJob(shop, "beyond", 1, 0, { needs: { gpu_share: 0.5, vram: "90GiB" } }),
          "-i",
          shared,
          "--plan",
        ]);
        t.match(beyond.out + beyond.err, /needs\.vram is 90\.0 GiB, its profile \w+ has/);
      },
    );

    t.test("across runs a GPU is one run's at a time", { skip }, async (t) => {
      const jobs = ["one", "two"].map((run) => writeJob(shop, run, 24, 0.4));
      const ended = await Promise.all(jobs.map((job) => begin(job).ended));
      for (const { code, err } of ended) t.equal(code, 0, err);
      for (const run of ["one", "two"]) {
        t.equal(readLines(shop, run).length, 24);
        checkLines(t, readLines(shop, run));
      }
    });

    t.test("a run of higher priority waits for both chunks of a GPU, and then has the whole", { skip }, async (t) => {
      rmSync(join(node.root, "var/tmp/begun"), { force: true });
      writeFileSync(wait, "");
      const low = begin(writeJob(shop, "low", 12, 0.1));
      await waitUntil("all shares are taken", () => readBegun(node).length === 4, 30);
      const high = begin(writeJob(shop, "high", 2, 0.1, { priority: 5, needs: { gpus: 1 } }));
      await waitUntil("it waits", () => /waits for run low/.test(high.stderr()));
      rmSync(wait);
      const [first, second] = [await high.ended, await low.ended];
      t.equal(first.code, 0, first.err);
      t.equal(second.code, 0, second.err);
      t.same(
        readLines(shop, "high").map(({ output }) => output.present),
        [1, 1],
      );
    });

    t.test("used memory of a GPU is judged once nothing runs on it", { skip }, async (t) => {
      rmSync(join(node.root, "var/tmp/begun"), { force: true });
      writeFileSync(wait, "");
      const run = begin(writeJob(shop, "memory", 8, 1.2));
      await waitUntil("all shares are taken", () => readBegun(node).length === 4, 30);
      node.setGpus({ used: { 1: 4096 } });
      // The agent sees all chunks end at once: otherwise the next one may start beside another.
      const agent = findAgentPid(node)!;
      t.equal(countWorkers(node), 4);
      process.kill(agent, "SIGSTOP");
      rmSync(wait);
      await waitUntil("all chunks have ended", () => countWorkers(node) === 0);
      process.kill(agent, "SIGCONT");
      await waitUntil("GPU 0 has the rest", () => readBegun(node).length === 6, 30);
      t.same(readBegun(node).slice(4), ["0", "0"]);
      node.setGpus({ used: {} });
      const { code, err } = await run.ended;
      t.equal(code, 0, err);
      t.equal(readLines(shop, "memory").length, 8);
    });

    t.test("a GPU that is lost takes all of its slots with it", { skip }, async (t) => {
      rmSync(join(node.root, "var/tmp/begun"), { force: true });
      writeFileSync(wait, "");
      const run = begin(
        writeJob(shop, "lost", 8, 0.1),
        lab.inventory({ file: "checks.yaml", node: { gpu_check: "1s" } }),
      );
      await waitUntil("all shares are taken", () => readBegun(node).length === 4, 30);
      node.setGpus({ absent: [1] });
      await waitUntil("both slots are disabled", () => /slots 1, 3 are disabled: GPU /.test(run.stderr()), 30);
      rmSync(wait);
      const { code, err, out } = await run.ended;
      t.equal(code, 0, err);
      t.equal(err.match(/disabled: GPU /g)?.length, 1, "a card is reported once");
      t.match(out, /\n {4}slots 1, 3 are disabled: GPU /);
      t.equal(readLines(shop, "lost").length, 8);
      node.setGpus({ absent: [] });
    });

    t.test("a run that resumes with other slots stops the agent that has the old ones", { skip }, async (t) => {
      rmSync(join(node.root, "var/tmp/begun"), { force: true });
      writeFileSync(wait, "");
      const job = writeJob(shop, "renumbered", 8, 0.1);
      const first = begin(job);
      await waitUntil("all shares are taken", () => readBegun(node).length === 4, 30);
      first.child.kill("SIGKILL");
      await first.ended;
      rmSync(wait);
      const { code, err } = await begin(job, lab.inventory({ file: "fewer.yaml", node: { gpus: 1 } })).ended;
      t.equal(code, 0, err);
      t.match(err, /its slots have other numbers than in the last session; its agent was stopped/);
      const lines = readLines(shop, "renumbered");
      t.equal(lines.length, 8);
      checkLines(t, lines);
    });

    t.test("warm workers share GPUs as well, and leave nothing", { skip }, async (t) => {
      shop.write("warm/w.py", WARM);
      const keys = { script: "w.py", worker: "warm", args: [], needs: { gpu_share: 0.5 } };
      const job = shop.write("warm/job.yaml", {
        name: "warm",
        kind: "matrix",
        matrix: { n: [0, 40] },
        outputs: ["r.json"],
        ...keys,
      });
      const ran = await runMuster(["run", job, "-i", inventory]);
      t.equal(ran.code, 0, ran.err);
      const lines = readLines(shop, "warm");
      t.equal(lines.length, 40);
      t.ok(new Set(lines.map(({ output }) => output.pid)).size <= 4, "at most one process a slot");
      for (const { gpus, output } of lines) t.equal(output.card, `${gpus[0]}`);
      t.same(await node.quiet(20), []);
    });
  });
