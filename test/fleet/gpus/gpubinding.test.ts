import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { bindGpu, GPU_BINDINGS } from "../../../fleet/gpus/gpubinding.js";
import { projectRoot } from "../../lab/project.js";

t.test("a program sees one GPU", async (t) => {
  t.same(bindGpu("amd", 3), { HIP_VISIBLE_DEVICES: "3" });
  t.same(bindGpu("nvidia", 0), { CUDA_VISIBLE_DEVICES: "0", CUDA_DEVICE_ORDER: "PCI_BUS_ID" });
  t.same(bindGpu("none", 0), {});
  t.same(bindGpu("none", undefined), {});
  t.same(bindGpu("amd", undefined), { HIP_VISIBLE_DEVICES: "-1" }, "HIP takes an empty one for none at all");
  t.same(bindGpu("nvidia", undefined), { CUDA_VISIBLE_DEVICES: "" });
});

t.test("the agent binds GPUs by the same variables", async (t) => {
  const source = readFileSync(join(projectRoot(), "templates/muster_agent/gpu/cards.py"), "utf8");
  const [, table = ""] = /^BINDING_VARIABLES = \{(.*)\}$/m.exec(source) ?? [];
  const variables = Object.entries(GPU_BINDINGS).map(([vendor, { variable }]) => [vendor, variable]);
  t.same(
    [...table.matchAll(/"(\w+)": b"(\w+)"/g)].map(([, vendor, variable]) => [vendor, variable]),
    variables,
  );
});
