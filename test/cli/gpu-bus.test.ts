import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { pciAddress } from "../lab/fakegpus.js";
import type { LabNode } from "../lab/labnode.js";
import { shareLab } from "../lab/sharedlab.js";
import { GpuJob } from "./gpujob.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 2 }, "a machine of its own");

/** Adds a device to the node's PCI bus. */
function plugIn(node: LabNode, pci: string, files: Record<string, string>): void {
  const folder = join(node.root, "sys/devices/pci0000:00", pci);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
  symlinkSync(`../../../devices/pci0000:00/${pci}`, join(node.root, "sys/bus/pci/devices", pci));
}

/** Makes the kernel show the graphics of a processor between the lab's cards, with the functions that only a processor has. */
function plugInIntegrated(node: LabNode): void {
  plugIn(node, "0000:04:00.0", { vendor: "0x1002", class: "0x030000", device: "0x164e" });
  plugIn(node, "0000:04:00.1", { vendor: "0x1002", class: "0x040300", device: "0x1640" });
  plugIn(node, "0000:04:00.2", { vendor: "0x1022", class: "0x108000", device: "0x1649" });
  const drm = join(node.root, "sys/class/drm/card9");
  mkdirSync(drm, { recursive: true });
  symlinkSync("../../../devices/pci0000:00/0000:04:00.0", join(drm, "device"));
}

interface Look {
  nodes: { gpus: { pci: string }[]; gpuHealth: { sick: object; toolError: string | null } }[];
}

t.test("the graphics of a processor is no slot, and each slot has its card", { skip }, async (t) => {
  const node = nodes[0]!;
  plugInIntegrated(node);
  const inventory = lab.inventory({ node: { gpus: 2 } });
  const { code, out, err } = await runMuster(["nodes", "--json", "-i", inventory]);
  t.equal(code, 0, err);
  const [look] = (JSON.parse(out) as Look).nodes;
  t.same(
    look?.gpus.map(({ pci }) => pci),
    [pciAddress(0), pciAddress(1)],
  );
  t.same(look?.gpuHealth, { sick: {}, toolError: null, notes: [] });
  const job = new GpuJob(shop, "bus", 12, 0.1);
  const ran = await runMuster(["run", job.file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.err, /is disabled/);
  for (const { slot, output } of job.results()) t.equal(output.bound, slot === 0 ? "0" : "2", "numbered as on the bus");
});

t.test("a processing accelerator is a GPU", { skip }, async (t) => {
  const node = nodes[0]!;
  for (const index of [0, 1])
    writeFileSync(join(node.root, "sys/devices/pci0000:00", pciAddress(index), "class"), "0x120000\n");
  node.setGpus({ tools: "hang" });
  const ran = await runMuster(["verify", "gpu", "-i", lab.inventory({ node: { gpus: 2 } })]);
  node.setGpus({ tools: undefined });
  t.match(ran.out, "rocm-smi: no answer within 10 s; killed; wanted: a report");
  t.notMatch(ran.out, /GPU 0000/);
  t.equal((await runMuster(["verify", "gpu", "-i", lab.inventory({ node: { gpus: 2 } })])).code, 0);
  node.setGpus({ count: 1 });
  const short = await runMuster(["verify", "gpu", "-i", lab.inventory({ node: { gpus: 2 } })]);
  t.match(short.out.replace(/\s+/g, " "), `GPU ${pciAddress(1)}: on the PCI bus, but rocm-smi does not show it`);
});
