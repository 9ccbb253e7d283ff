import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { GpuJob } from "./gpujob.js";
import { startMuster } from "./startmuster.js";

const SLOTS = [0, 1, 2, 3];

for (const vendor of ["amd", "nvidia"] as const)
  t.test(`${vendor}: a GPU is lost from the bus, and the other slots keep their GPUs`, async (t) => {
    const { skip, shop, lab, inventory } = await shareLab(t, { nodes: [vendor], gpus: SLOTS.length, vendor }, "a bus");
    if (skip) return void t.pass(`skipped: ${skip}`);
    const node = lab.nodes[0]!;
    const job = new GpuJob(shop, "lost", 40, 0.2);
    job.hold(node);
    const run = watchMuster(startMuster(["run", job.file, "-i", inventory]));
    await waitUntil("all slots work", () => job.begun(node).length === SLOTS.length);
    node.setGpus({ absent: [1] });
    job.release(node);
    await waitUntil("slot 1 is disabled", () =>
      run.stderr().includes(`slot 1 is disabled: GPU ${pciAddress(1)}: not on the PCI bus any more`),
    );
    const { code, err } = await run.ended;
    t.equal(code, 0, err);
    const results = job.results();
    t.equal(results.length, 40);
    const [first, later] = [results.filter(isFirst), results.filter((one) => !isFirst(one))];
    t.same(first.map(({ slot, output }) => `${slot} ${output.bound}`).sort(), ["0 0", "1 1", "2 2", "3 3"]);
    t.notOk(
      later.some(({ slot }) => slot === 1),
      "slot 1 gets nothing any more",
    );
    const wrong = later.filter(({ slot, output }) => !isOf(slot, output));
    t.same(wrong, [], "every other slot has the card that it had");
    t.match(job.takenOut(node), [{ slot: 1, back: false }]);

    /** The chunk that a slot had before the GPU was lost. */
    function isFirst(result: { slot: number; output: { card: string | null; bound: string } }): boolean {
      return result === results.find(({ slot }) => slot === result.slot) && /^\d$/.test(result.output.bound);
    }
  });

/** Returns whether it is bound to the GPU of this slot, by the UUID of the lab's nvidia-smi or by its index. */
function isOf(slot: number, { bound, card }: { bound: string; card: string | null }): boolean {
  const uuid = `GPU-${(0xa0b1c2d0 + slot).toString(16)}-1111-2222-3333-444444444444`;
  return bound === uuid || card === pciAddress(slot);
}
