import t from "tap";
import { groupGpus, shortenModel } from "../../../fleet/discovery/gpukinds.js";
import type { Gpu } from "../../../fleet/facts.js";

for (const [model, expected] of [
  ["NVIDIA GeForce RTX 3080 Ti", "RTX 3080 Ti"],
  ["Navi 23 [Radeon RX 6600/6600 XT/6600M]", "RX 6600"],
  ["AMD Radeon RX 6600", "RX 6600"],
  ["NVIDIA H200", "H200"],
  ["Tesla V100-SXM2-16GB", "Tesla V100-SXM2-16GB"],
  ["AMD Instinct MI300X", "Instinct MI300X"],
  ["AMD", "AMD"],
] as const)
  t.equal(shortenModel(model), expected, model);

const gpu = (vendor: Gpu["vendor"], model: string | null, vram: number | null = null): Gpu => ({
  vendor,
  model,
  vram,
  pci: null,
  driver: null,
});

t.test("kinds are grouped by what they are sold as, the most numerous one first, with the least memory", async (t) => {
  const kinds = groupGpus([
    gpu("nvidia", "NVIDIA GeForce GTX 1060"),
    gpu("amd", "Navi 23 [Radeon RX 6600/6600 XT]", 8_500_000_000),
    gpu("amd", "AMD Radeon RX 6600", 8_400_000_000),
    gpu("amd", null),
  ]);
  t.same(
    kinds.map(({ vendor, model, vram, gpus }) => [vendor, model, vram, gpus.length]),
    [
      ["amd", "RX 6600", 8_400_000_000, 2],
      ["nvidia", "GTX 1060", undefined, 1],
      ["amd", undefined, undefined, 1],
    ],
  );
});
