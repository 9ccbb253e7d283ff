import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(
  t,
  { nodes: ["box"], gpus: 2, vendor: "nvidia" },
  "a machine of its own",
);

t.test("a sandbox without a PCI bus: the GPUs are those of the vendor's tool", { skip }, async (t) => {
  for (const index of [0, 1]) rmSync(join(nodes[0]!.root, "sys/bus/pci/devices", pciAddress(index)));
  const file = shop.write("box/job.yaml", {
    name: "box",
    kind: "tasks",
    tasks: [0, 1].map((gpu) => ({ id: `gpu${gpu}`, gpu, args: [`pci-${gpu}`], outputs: [`pci-${gpu}`] })),
    command: ["sh", "-c", 'echo "$MUSTER_GPU_PCI" >"$1"', "sh"],
  });
  const looked = await runMuster(["nodes", "--json", "-i", inventory]);
  t.match(JSON.parse(looked.out).nodes[0].gpuHealth, { sick: {}, toolError: null }, looked.err);
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.err, /is disabled/);
  for (const gpu of [0, 1])
    t.equal(shop.read(`box/runs/box/results/pci-${gpu}`), `${pciAddress(gpu)}\n`, "the agent knows its address");
});
