import t from "tap";
import type { Gpu } from "../../../fleet/facts.js";
import { findAllocatedGpus } from "../../../fleet/slurm/allocatedgpus.js";

const PCI = ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:04:00.0"];

function gpus(vendor: "amd" | "nvidia", count: number): Gpu[] {
  return PCI.slice(0, count).map((pci) => ({ vendor, pci, driver: "1.0" }) as Gpu);
}

t.test("GPUs that Slurm has bound", async (t) => {
  const table: {
    what: string;
    vendor?: "amd" | "nvidia" | "none";
    visible?: string;
    found: Gpu[];
    expected: unknown;
  }[] = [
    {
      what: "cgroups hide the others",
      visible: "0",
      found: gpus("nvidia", 1),
      expected: { devices: ["0"], pci: [PCI[0]] },
    },
    {
      what: "all are shown",
      visible: "2,3",
      found: gpus("nvidia", 4),
      expected: { devices: ["2", "3"], pci: [PCI[2], PCI[3]] },
    },
    {
      what: "UUIDs, where all are shown",
      visible: "GPU-0a1b,MIG-2c",
      found: gpus("nvidia", 4),
      expected: { devices: ["GPU-0a1b", "MIG-2c"] },
    },
    { what: "more than are found", visible: "0,7", found: gpus("nvidia", 4), expected: { devices: ["0", "7"] } },
    {
      what: "HIP numbers what ROCR leaves",
      vendor: "amd",
      visible: "1,3",
      found: gpus("amd", 4),
      expected: { devices: ["0", "1"], pci: [PCI[1], PCI[3]] },
    },
    {
      what: "cards without a driver are those of other allocations",
      visible: "0",
      found: [{ ...gpus("nvidia", 1)[0]!, driver: null }, gpus("nvidia", 2)[1]!],
      expected: { devices: ["0"], pci: [PCI[1]] },
    },
    {
      what: "cards of another vendor",
      visible: "0",
      found: [...gpus("amd", 1), gpus("nvidia", 2)[1]!],
      expected: { devices: ["0"], pci: [PCI[1]] },
    },
    { what: "none are bound", visible: "NoDevFiles", found: gpus("nvidia", 4), expected: undefined },
    { what: "an empty variable", visible: "", found: gpus("nvidia", 4), expected: undefined },
    { what: "no variable", found: gpus("nvidia", 4), expected: undefined },
    { what: "a cluster without GPUs", vendor: "none", visible: "0", found: gpus("nvidia", 4), expected: undefined },
  ];
  for (const { what, vendor = "nvidia", visible, found, expected } of table) {
    const variable = vendor === "amd" ? "ROCR_VISIBLE_DEVICES" : "CUDA_VISIBLE_DEVICES";
    const environment = visible === undefined ? { OTHER: "0" } : { [variable]: visible };
    t.strictSame(findAllocatedGpus(vendor, environment, found), expected, what);
  }
});
