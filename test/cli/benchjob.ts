import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deviceFolder, pciAddress } from "../lab/fakegpus.js";
import type { LabNode } from "../lab/labnode.js";
import type { TestFolder } from "./startmuster.js";

/** Cards of a node with two of AMD and one of NVIDIA, which has slot 0. */
export const [AMD_0, AMD_1, NVIDIA] = [0, 1, 2].map(pciAddress) as [string, string, string];

/** Takes a second for 1,000 units; the second AMD card of rig2 takes longer, and the first one of rig1 computes wrongly. */
export const BENCH_WORKER = `import os, sys, time
card = os.uname().nodename + " " + os.environ["MUSTER_GPU_PCI"]
units = int(sys.argv[2]) - int(sys.argv[1])
time.sleep(units / 1000 * (1.6 if card == "rig2 ${AMD_1}" else 1))
open("r.json", "w").write("8" if card == "rig1 ${AMD_0}" else "7")
`;

/** Of a job: half a second a chunk, which is enough where rates do not matter. */
export const QUICK = { chunk: { base: 500, min: 1, max: 1_000_000 } };

/** Writes a range job and its worker into a folder of this name, and returns the path of the job. */
export function writeBenchJob(shop: TestFolder, name: string, worker = BENCH_WORKER, more: object = {}): string {
  shop.write(`${name}/w.py`, worker);
  return shop.write(`${name}/job.yaml`, {
    name,
    kind: "range",
    range: [0, 1_000_000],
    chunk: { base: 2500, min: 1, max: 1_000_000 },
    script: "w.py",
    args: ["{start}", "{end}"],
    outputs: ["r.json"],
    ...more,
  });
}

/** Returns the power limits of the AMD cards of nodes, in microwatts. */
export function readCaps(nodes: readonly LabNode[]): string[] {
  const read = (node: LabNode, index: number) =>
    readFileSync(join(node.root, deviceFolder(index), "hwmon/hwmon3/power1_cap"), "utf8").trim();
  return nodes.flatMap((node) => [0, 1].map((index) => read(node, index)));
}

/** Returns the power limit, in watts, that an NVIDIA card of the node was given last. */
export function readNvidiaCap(node: LabNode): string | undefined {
  const folder = join(node.root, "run/fake-nvidia");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name !== "log") : [];
  return files.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8"))["power.limit"])[0];
}

/** Whether all cards of the nodes have the power limits that they have at boot. */
export function haveBootLimits(nodes: readonly LabNode[]): boolean {
  return (
    readCaps(nodes).every((cap) => cap === "100000000") &&
    nodes.every((node) => [undefined, "350.00"].includes(readNvidiaCap(node)))
  );
}
