import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { deviceFolder, pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 1 }, "nodes that reboot");
const CAP = "hwmon/hwmon3/power1_cap";

/** Each result is the power limit of the GPU in microwatts. */
const job = (name: string, count: number) => ({
  name,
  kind: "matrix",
  matrix: { n: [0, count] },
  command: ["sh", "-c", `cat /sys/bus/pci/devices/${pciAddress(0)}/${CAP} >cap; exec sleep 0.2`],
  args: [],
  outputs: ["cap"],
  needs: { playbooks: ["power"] },
});

t.test("a run refuses a node whose settings differ; --provision and a reboot set them", { skip }, async (t) => {
  const [node] = nodes;
  const inventory = lab.inventory({ node: { power: "90W" } });
  const refused = await runMuster(["run", shop.write("a/job.yaml", job("refused", 2)), "-i", inventory]);
  t.equal(refused.code, 69, refused.err);
  t.match(
    refused.out,
    /rig: 0 chunks \(refused: drift: gpu settings: drift \(GPU 0000:03:00.0 power: 100 W, wanted 90 W\)/,
  );
  const running = startMuster(["run", shop.write("b/job.yaml", job("set", 30)), "-i", inventory, "--provision"]);
  const end = waitForExit(running);
  await waitUntil("chunks run there", () => node!.processes().some((one) => one.argv[0] === "sleep"));
  await node!.powerCycle();
  const ran = await end;
  t.equal(ran.code, 0, ran.err);
  const limits = shop.results("b/runs/set").map(({ chunk }) => shop.read(`b/runs/set/results/${chunk}/cap`).trim());
  t.same([limits.length, ...new Set(limits)], [30, "90000000"], "no chunk ran at another limit");
  t.equal(readFileSync(join(node!.root, deviceFolder(0), CAP), "utf8").trim(), "90000000");
});
