import t from "tap";
import { lacking } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 2, gpus: 2, vendor: "amd" });
const machines = lacking("looking into nodes");

interface OfNode {
  node: string;
  chunks: number;
  failedAttempts: number;
  takenOut?: { slot: number; reason: string; back: boolean; reboot?: true }[];
}

/** Chunks hang on the slots named in the file `hung` of their node, as on a lost GPU, and are short elsewhere. */
const WORKER = `import os, sys, time
hung = "/tmp/hung"
if os.path.exists(hung) and os.environ["MUSTER_SLOT"] in open(hung).read().split(): time.sleep(3600)
time.sleep(float(sys.argv[2]))
open("r.txt", "w").write(sys.argv[1])
`;

function job(name: string, count: number, seconds: number): string {
  shop.write(`${name}/w.py`, WORKER);
  return shop.write(`${name}/job.yaml`, {
    name,
    kind: "matrix",
    matrix: { n: [0, count] },
    script: "w.py",
    args: ["{n}", `${seconds}`],
    outputs: ["r.txt"],
  });
}

function ofNode(name: string, node: string): OfNode {
  const { nodes } = shop.json<{ nodes: OfNode[] }>(`${name}/runs/${name}/summary.json`);
  return nodes.find((one) => one.node === node)!;
}

/** Resolves when the output matches. */
function printed(child: ReturnType<typeof startMuster>, pattern: RegExp): Promise<void> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.stderr?.on("data", (bytes) => {
      text += bytes;
      if (pattern.test(text)) resolve();
    });
    child.on("close", () => reject(new Error(`ended without ${pattern}: ${text}`)));
  });
}

t.test(
  "chunks of a sick GPU are requeued on other GPUs; the GPU and the next action are reported",
  { skip: machines },
  async (t) => {
    const [, node] = lab.nodes;
    node!.setGpus({ sick: [1] });
    await node!.exec(["sh", "-c", "echo 1 > /tmp/hung"]);
    const ran = await runMuster(["run", job("sick", 60, 0.1), "-i", lab.inventory()]);
    t.equal(ran.code, 0, ran.err);
    t.match(ran.err, `${node!.name}: slot 1 is disabled: GPU 0000:06:00.0: sclk N/A, mclk N/A, perf unknown`);
    t.match(ran.err, "in this order: reduce sample_size, not the number of GPUs; check kernel-params");
    t.equal(shop.results("sick/runs/sick").length, 60);
    t.notOk(shop.results("sick/runs/sick").some((one) => one.node === node!.name && one.slot === 1));
    t.match(ofNode("sick", node!.name), { failedAttempts: 0, takenOut: [{ slot: 1, back: false }] });
  },
);

t.test(
  "a GPU that recovers during a run is used again, and one that is lost from the bus is disabled",
  { skip: machines },
  async (t) => {
    const [first, node] = lab.nodes;
    node!.setGpus({ sick: [1] });
    await node!.exec(["rm", "-f", "/tmp/hung"]);
    const inventory = lab.inventory({ defaults: { gpu_check: "1s" } });
    const child = startMuster(["run", job("repaired", 300, 0.15), "-i", inventory]);
    const end = waitForExit(child);
    await printed(child, new RegExp(`${node!.name}: slot 1 is disabled`));
    node!.setGpus({ sick: [] });
    await printed(child, new RegExp(`${node!.name}: slot 1 is enabled again`));
    first!.setGpus({ count: 1 });
    await first!.exec(["rm", "/sys/bus/pci/devices/0000:06:00.0"]);
    await printed(child, new RegExp(`${first!.name}: slot 1 is disabled: GPU 0000:06:00.0: (on|not on) the PCI bus`));
    const ran = await end;
    first!.setGpus({ count: 2 });
    await first!.exec(["ln", "-s", "../../../devices/pci0000:00/0000:06:00.0", "/sys/bus/pci/devices/0000:06:00.0"]);
    t.equal(ran.code, 0, ran.err);
    const results = shop.results("repaired/runs/repaired");
    t.equal(results.length, 300);
    t.ok(results.some((one) => one.node === node!.name && one.slot === 1));
    t.match(ofNode("repaired", node!.name).takenOut, [{ slot: 1, back: true }]);
    t.match(ofNode("repaired", first!.name).takenOut, [{ slot: 1, back: false }]);
  },
);

t.test("a GPU tool that hangs delays no chunk", { skip }, async (t) => {
  for (const node of lab.nodes) node.setGpus({ tools: "hang" });
  const ran = await runMuster(["run", job("hang", 40, 0.05), "-i", lab.inventory()]);
  for (const node of lab.nodes) node.setGpus({ tools: undefined });
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.err, /is disabled/);
  for (const node of lab.nodes) t.same(await node.quiet(20), [], "no tool is left");
});

t.test("where all GPUs stay sick, the run ends and reports which node to reboot", { skip: machines }, async (t) => {
  for (const node of lab.nodes) {
    node.setGpus({ sick: [0, 1] });
    await node.exec(["sh", "-c", "echo 0 1 > /tmp/hung"]);
  }
  const ran = await runMuster(["run", job("dead", 4, 0), "-i", lab.inventory({ defaults: { gpu_check: "200ms" } })]);
  t.equal(ran.code, 69, ran.err);
  for (const { name } of lab.nodes) t.match(ran.err, `${name}: slot 0 stays sick: reboot ${name}`);
  t.match(ofNode("dead", lab.nodes[0]!.name).takenOut?.[0], { slot: 0, back: false, reboot: true });
});
