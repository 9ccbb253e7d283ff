import t from "tap";
import { GpuJob } from "../cli/gpujob.js";
import { startMuster } from "../cli/startmuster.js";
import { watchMuster } from "../faults/knownjob.js";
import { pciAddress } from "../lab/fakegpus.js";
import type { LabOptions } from "../lab/labplan.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";

t.test("the GPUs of AMD are checked between chunks", async (t) => {
  const options: LabOptions = { nodes: ["rig"], gpus: 2, vendor: "amd" };
  const { skip, shop, nodes, inventory } = await shareLab(t, options, "looking into nodes");
  const node = nodes[0]!;

  t.test("a GPU whose driver hangs is disabled until it answers, and delays no other", { skip }, async (t) => {
    const job = new GpuJob(shop, "begins", 400, 0.3);
    const run = watchMuster(startMuster(["run", job.file, "-i", inventory]));
    await waitUntil("both GPUs have been queried again", () => job.begun(node).length > 8);
    const file = `/sys/devices/pci0000:00/${pciAddress(1)}/mem_info_vram_used`;
    await node.exec(["sh", "-c", 'mkfifo "$0.new" && mv "$0.new" "$0"', file]);
    await waitUntil("slot 1 waits", () => job.isIdle(node, 1, 3));
    await waitUntil("slot 1 is disabled", () =>
      /slot 1 is disabled: .* cannot be read: no answer within 5 s; killed/.test(run.stderr()),
    );
    await waitUntil("the other slot works", () => job.isIdle(node, 1, 10));
    await node.exec(["rm", file]);
    node.setGpus({});
    const before = job.begun(node).length;
    await waitUntil("slot 1 works again", () => job.begun(node).slice(before).includes(1));
    job.hurry(node);
    const { code, err } = await run.ended;
    t.equal(code, 0, err);
    t.equal(job.results().length, 400);
    t.same(await node.quiet(20), [], "no shell is left");
  });
});
