import t from "tap";
import { adviseOnSickGpu } from "../../../fleet/gpus/gpuadvice.js";
import { assessGpus } from "../../../fleet/gpus/gpuhealth.js";

const RIG = { limits: { sample_size: { best: 450 } }, kernel: { "amdgpu.ppfeaturemask": "0xffff7fff" } };
const PLAIN = { limits: {}, kernel: {} };
const SILENT = "GPU 0000:06:00.0: sclk N/A, mclk N/A, perf unknown";

t.test("remedies that concern programs and the kernel come from the profile", async (t) => {
  const order = "reduce sample_size, not the number of GPUs; check kernel-params (the feature mask)";
  t.equal(adviseOnSickGpu(RIG, SILENT), `in this order: ${order}; check the clean-up between jobs; reboot it`);
  t.equal(adviseOnSickGpu(PLAIN, SILENT), "in this order: check the clean-up between jobs; reboot it");
});

t.test("a card that is missing gets advice about a missing card", async (t) => {
  const bus = { exit: 0, stdout: "0000:03:00.0 0x1002\n", stderr: "" };
  const report = { exit: 0, stdout: "{}", stderr: "" };
  const want = { vendor: "amd", count: 2, addresses: [] as string[] } as const;
  const known = ["0000:03:00.0", "0000:06:00.0"];
  const { sick } = assessGpus(want, known, [bus, report]);
  t.match(sick.get(1), /not on the PCI bus any more/);
  for (const reason of [
    sick.get(1)!,
    "GPU 0000:06:00.0: the driver has lost it",
    "GPU 1 is not there: 1 of 2 were found",
  ])
    t.match(adviseOnSickGpu(RIG, reason), /^next: reboot the node; if the GPU stays away, check its riser/, reason);
});
