import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 2 }, "a machine of its own");
const node = nodes[0]!;
const device = (index: number) => `/sys/devices/pci0000:00/${pciAddress(index)}`;
const status = (index: number, text: string) => {
  mkdirSync(join(node.root, device(index), "power"), { recursive: true });
  writeFileSync(join(node.root, device(index), "power/runtime_status"), `${text}\n`);
};

interface Health {
  nodes: { gpuHealth: { sick: Record<string, string>; toolError: string | null; notes: string[] } }[];
}

async function checkGpus(): Promise<Health["nodes"][0]["gpuHealth"]> {
  const ran = await runMuster(["nodes", "--json", "-i", lab.inventory()]);
  t.equal(ran.code, 0, ran.err);
  return (JSON.parse(ran.out) as Health).nodes[0]!.gpuHealth;
}

t.test("a GPU that cannot be woken keeps sleeping, and is healthy", { skip }, async (t) => {
  node.setGpus({ sick: [1] });
  status(0, "active");
  status(1, "suspended");
  const { sick, notes } = await checkGpus();
  t.same(sick, {});
  t.match(notes, [new RegExp(`GPU ${pciAddress(1)} sleeps`)]);
});

t.test("the check opens the render node of a sleeping GPU, and looks once it has resumed", { skip }, async (t) => {
  node.setGpus({ sick: [1] });
  status(0, "active");
  status(1, "suspended");
  // A driver in a few lines: it resumes the GPU when its render node is opened, which returns once the GPU has resumed.
  const path = "/dev/dri/renderD129";
  mkdirSync(join(node.root, device(1), "drm/renderD129"), { recursive: true });
  await node.exec(["sh", "-c", `mkdir -p /dev/dri && mkfifo ${path}`]);
  const fixed = { pp_dpm_sclk: "0: 500Mhz\n1: 700Mhz *\n", pp_dpm_mclk: "0: 96Mhz *\n" };
  const driver = promisify(execFile)("sh", ["-c", `: >"$0"`, join(node.root, path)], { timeout: 60_000 }).then(() => {
    node.setGpus({ sick: [] });
    for (const [name, text] of Object.entries(fixed)) writeFileSync(join(node.root, device(1), name), text);
    status(1, "active");
  });
  const { sick, notes } = await checkGpus();
  t.same([sick, notes], [{}, []], "it reports its clocks");
  await driver;
  node.setGpus({ sick: [1] });
  t.match(await checkGpus(), { sick: { 1: `GPU ${pciAddress(1)}: sclk N/A, mclk N/A, perf unknown` } });
});

t.test("a GPU whose resume has failed is sick", { skip }, async (t) => {
  status(1, "error");
  t.match(await checkGpus(), { sick: { 1: /it cannot leave runtime suspend/ } });
});
