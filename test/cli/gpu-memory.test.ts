import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { pciAddress } from "../lab/fakegpus.js";
import type { LabNode } from "../lab/labnode.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { GpuJob } from "./gpujob.js";
import { startMuster } from "./startmuster.js";

const names = { amd: "rig", nvidia: "zeus" };
const GIB = 1024;

for (const vendor of ["amd", "nvidia"] as const)
  t.test(vendor, async (t) => {
    const options = { nodes: [names[vendor]], gpus: 2, vendor };
    const { skip, shop, nodes, inventory } = await shareLab(t, options, "looking into nodes");
    const node = nodes[0]!;
    const begin = (job: GpuJob) => watchMuster(startMuster(["run", job.file, "-i", inventory]));

    t.test("a slot waits silently until the memory of its GPU is released", { skip }, async (t) => {
      const job = new GpuJob(shop, "waits", 60, 0.3);
      const run = begin(job);
      await waitUntil("slot 1 works", () => job.begun(node).includes(1));
      node.setGpus({ used: { 1: 6 * GIB } });
      await waitUntil("slot 1 waits", () => job.isIdle(node, 1, 5));
      const before = job.begun(node).length;
      node.setGpus({ used: {} });
      await waitUntil("slot 1 works again", () => job.begun(node).slice(before).includes(1));
      const { code, err } = await run.ended;
      t.equal(code, 0, err);
      t.equal(job.results().length, 60);
      t.notMatch(err, /is disabled/);
    });

    t.test(
      "memory that does not come back: the slot is disabled until it is released, and its holder is reported",
      { skip },
      async (t) => {
        const job = new GpuJob(shop, "stays", 400, 0.3);
        holdBy(node, 1, 1);
        const run = begin(job);
        await waitUntil("slot 1 works", () => job.begun(node).includes(1));
        node.setGpus({ used: { 1: 5325 + 6 }, holders: { 1: 1 } });
        const reason = new RegExp(
          `slot 1 is disabled: GPU ${pciAddress(1)}: 5.2 GiB of GPU memory are still in use 30 s after chunk n=\\d+ ended; held by pid 1 \\(\\w+\\)`,
        );
        await waitUntil("slot 1 is disabled", () => reason.test(run.stderr()));
        t.ok(job.isIdle(node, 1, 5), "the other slot has continued alone");
        node.setGpus({ used: {}, holders: {} });
        await waitUntil("slot 1 is enabled again", () => run.stderr().includes("slot 1 is enabled again"));
        const before = job.begun(node).length;
        await waitUntil("slot 1 works again", () => job.begun(node).slice(before).includes(1));
        job.hurry(node);
        const { code, err } = await run.ended;
        t.equal(code, 0, err);
        t.match(err, "check the clean-up between jobs");
        t.equal(job.results().length, 400);
        t.match(job.takenOut(node), [{ slot: 1, back: true, reason: /5.2 GiB of GPU memory are still in use/ }]);
        t.same(await node.quiet(20), [], "no tool is left");
      },
    );

    if (vendor === "amd")
      t.test("a GPU whose files hang is disabled until they answer, and delays no other", { skip }, async (t) => {
        const job = new GpuJob(shop, "hangs", 60, 0.3);
        const files = ["mem_info_vram_used", "pp_dpm_sclk"].map(
          (name) => `/sys/devices/pci0000:00/${pciAddress(1)}/${name}`,
        );
        for (const file of files) await node.exec(["sh", "-c", 'rm "$0"; mkfifo "$0"', file]);
        const run = begin(job);
        const reason = `slot 1 is disabled: GPU ${pciAddress(1)}: its used memory cannot be read: no answer within 5 s; killed`;
        await waitUntil("slot 1 is disabled", () => run.stderr().includes(reason));
        await waitUntil("slot 0 works", () => job.begun(node).length > 2);
        t.notOk(job.begun(node).includes(1));
        await node.exec(["rm", ...files]);
        node.setGpus({});
        await waitUntil("slot 1 works", () => job.begun(node).includes(1));
        const { code, err } = await run.ended;
        t.equal(code, 0, err);
        t.equal(job.results().length, 60);
        t.match(job.takenOut(node), [{ slot: 1, back: true }]);
        t.notMatch(err, /cannot check its GPUs/, "the tools were asked instead");
        t.same(await node.quiet(20), [], "no tool is left");
      });
  });

/** Makes the kernel of an AMD node report that this process holds memory of this GPU. */
function holdBy(node: LabNode, card: number, pid: number): void {
  const kfd = join(node.root, "sys/class/kfd/kfd");
  const bus = Number.parseInt(pciAddress(card).slice(5, 7), 16);
  for (const folder of ["topology/nodes/1", `proc/${pid}`]) mkdirSync(join(kfd, folder), { recursive: true });
  writeFileSync(join(kfd, "topology/nodes/1/properties"), `simd_count 56\nlocation_id ${bus << 8}\ndomain 0\n`);
  writeFileSync(join(kfd, "topology/nodes/1/gpu_id"), "4711\n");
  writeFileSync(join(kfd, `proc/${pid}/vram_4711`), `${5325 * 1024 ** 2}\n`);
}
