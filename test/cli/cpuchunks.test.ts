import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, lab } = await shareLab(t, { nodes: ["rig"], gpus: 2, vendor: "amd" }, "GPUs of its own");

/** Runs four chunks that print what they see; returns that, without repetitions, and what the run said. */
async function runJob(name: string, needs: object, nodeKeys: Record<string, number>) {
  const job = shop.write(`${name}.yaml`, {
    ...{ name, kind: "matrix", matrix: { n: [0, 4] }, needs, outputs: ["stdout"] },
    command: ["sh", "-c", "printenv HIP_VISIBLE_DEVICES || echo unset; sleep 0.5"],
  });
  const ran = await runMuster(["run", job, "-i", lab.inventory({ file: `${name}-i.yaml`, node: nodeKeys })]);
  t.equal(ran.code, 0, ran.err);
  const seen = [0, 1, 2, 3].map((n) => readFileSync(join(shop.folder, `runs/${name}/results/n=${n}/stdout`), "utf8"));
  const lines = readFileSync(join(shop.folder, `runs/${name}/results.ndjson`), "utf8")
    .trim()
    .split("\n");
  const slots = lines.map((line) => (JSON.parse(line) as { slot: number }).slot);
  return { seen: [...new Set(seen.map((text) => text.trim()))].sort(), slots: [...new Set(slots)].sort(), ...ran };
}

t.test("chunks that need no GPU run on the CPU slots of a node with GPUs, and see none", { skip }, async (t) => {
  const some = await runJob("cpu", { gpus: 0 }, { gpus: 2 });
  t.same(some.seen, ["-1"]);
  t.ok(
    some.slots.every((slot) => slot >= 2),
    `slots ${some.slots}`,
  );
  const three = await runJob("three", { gpus: 0, vendor: "amd" }, { gpus: 2, slots: 3 });
  t.match(three.err, /^rig: 3 slots$/m);
  t.same(three.slots, [2, 3, 4]);
});

t.test(
  "chunks that need a GPU run on GPU slots only; without needs, on all that the inventory names",
  { skip },
  async (t) => {
    const gpu = await runJob("gpu", { gpus: 1 }, { gpus: 2, slots: 2 });
    t.same(gpu.slots, [0, 1]);
    t.same(gpu.seen, ["0", "1"]);
    const both = await runJob("both", {}, { gpus: 2, slots: 2 });
    t.same(both.slots, [0, 1, 2, 3]);
    t.same(both.seen, ["-1", "0", "1"]);
  },
);
