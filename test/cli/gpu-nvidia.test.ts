import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { GpuJob } from "./gpujob.js";
import { startMuster } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["zeus"], gpus: 2, vendor: "nvidia" }, "a kernel's log");
const node = nodes[0]!;

/** Sets the kernel's log. */
function log(...lines: string[]): void {
  const file = join(node.root, "usr/bin/dmesg");
  writeFileSync(file, `#!/bin/sh\ncat <<'END'\n${lines.join("\n")}\nEND\n`, { mode: 0o755 });
}

const XID = "[ 71.3] NVRM: Xid (PCI:0000:06:00): 79, pid=1234, name=python3, GPU has fallen off the bus.";

const MISSING = "next: reboot the node; if the GPU stays away, check its riser, its power cable, and `dmesg` as root";
const FAULTS: [what: string, break_: () => void, mend: () => void, reason: string, advice: string][] = [
  [
    "ECC errors",
    () => node.setGpus({ errors: { 1: 3 } }),
    () => node.setGpus({ errors: {} }),
    "3 uncorrected memory errors (ECC)",
    "in this order: check the clean-up between jobs; reboot it",
  ],
  [
    "lost by the driver",
    () => node.setGpus({ lost: [1] }),
    () => node.setGpus({ lost: [] }),
    "the driver has lost it",
    MISSING,
  ],
  ["a fatal Xid", () => log(XID), () => log(), "the driver reported Xid 79", MISSING],
];

for (const [what, breaks, mend, reason, advice] of FAULTS) {
  t.test(`${what} before the run: the card gets no chunk until it is well`, { skip }, async (t) => {
    const job = new GpuJob(shop, `before-${reason.length}`, 120, 0.2);
    breaks();
    const run = watchMuster(startMuster(["run", job.file, "-i", lab.inventory({ defaults: { gpu_check: "500ms" } })]));
    await waitUntil("slot 1 is disabled", () =>
      run.stderr().includes(`slot 1 is disabled: GPU ${pciAddress(1)}: ${reason}`),
    );
    await waitUntil("slot 0 works", () => job.begun(node).length > 2);
    t.notOk(job.begun(node).includes(1), "not one chunk");
    await waitUntil("it stays sick", () => run.stderr().includes("slot 1 stays sick: reboot zeus"));
    mend();
    await waitUntil("slot 1 works", () => job.begun(node).includes(1));
    job.hurry(node);
    const { code, err, out } = await run.ended;
    t.equal(code, 0, err);
    t.match(err, advice);
    t.equal(job.results().length, 120);
    t.match(job.takenOut(node), [{ slot: 1, back: true, reboot: true }]);
    t.match(out, "slot 1 was disabled for a while");
  });
}

t.test("a GPU tool that hangs delays only the first chunks, until its timeout", { skip }, async (t) => {
  const job = new GpuJob(shop, "hangs", 12, 0.1);
  node.setGpus({ tools: "hang" });
  const run = watchMuster(startMuster(["run", job.file, "-i", lab.inventory()]));
  const { code, err } = await run.ended;
  node.setGpus({ tools: undefined });
  t.equal(code, 0, err);
  t.match(err, "cannot check its GPUs: nvidia-smi: no answer within 10 s; killed");
  t.notMatch(err, /is disabled/);
  t.equal(job.results().length, 12);
  t.same(await node.quiet(20), [], "no tool is left");
});
