import t from "tap";
import { pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

/** Slot 0 is the NVIDIA card, although its PCI address comes last; slots 1 and 2 are AMD cards. */
const { skip, shop, lab, nodes, inventory } = await shareLab(t, { nodes: ["mixed"], gpus: 2, nvidia: 1 }, "GPUs");
const [AMD_0, AMD_1, NVIDIA] = [0, 1, 2].map(pciAddress) as [string, string, string];

/** Its result: what it was told of its GPUs, and the GPU locks that are held. */
const WORKER = `import json, os, sys, time
time.sleep(0.1)
names = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HSA_OVERRIDE_GFX_VERSION", "HSA_ENABLE_SDMA", "MUSTER_GPU", "MUSTER_GPUS")
folder = "/var/tmp/muster-%d" % os.geteuid()
json.dump({"words": sys.argv[2:], "locks": sorted(one for one in os.listdir(folder) if one.endswith(".lock")), **{name: os.environ.get(name) for name in names}}, open(sys.argv[1], "w"))
`;

interface Line {
  slot: number;
  gpus: number[];
  cards: { pci: string; model: string; uuid?: string }[];
  output: Record<string, string> & { words: string[]; locks: string[] };
}

function writeJob(name: string, count: number, keys: object): string {
  shop.write(`${name}/w.py`, WORKER);
  return shop.write(`${name}/job.yaml`, {
    ...{ name, kind: "matrix", matrix: { n: [0, count] }, script: "w.py", outputs: ["r.json"] },
    ...{ args: ["r.json", "{gpu}", "{gpus}"], ...keys },
  });
}

async function runJob(name: string, count: number, keys: object, used = inventory): Promise<Line[]> {
  const ran = await runMuster(["run", writeJob(name, count, keys), "-i", used]);
  if (ran.code !== 0) throw new Error(ran.err);
  const lines = shop.results(`${name}/runs/${name}`) as unknown as Line[];
  return lines.sort((a, b) => a.slot - b.slot);
}

const slotsOf = (lines: Line[]) => [...new Set(lines.map(({ slot }) => slot))];

t.test("each slot has the environment, the binding and the card of its kind", { skip }, async (t) => {
  const lines = await runJob("all", 12, { env: { HSA_ENABLE_SDMA: "1" } });
  t.same(slotsOf(lines), [0, 1, 2]);
  for (const { slot, gpus, cards, output } of lines) {
    t.same(gpus, [slot]);
    const nvidia = slot === 0;
    t.match(output, {
      HIP_VISIBLE_DEVICES: nvidia ? "-1" : `${slot - 1}`,
      CUDA_VISIBLE_DEVICES: nvidia ? "0" : "",
      CUDA_DEVICE_ORDER: nvidia ? "PCI_BUS_ID" : null,
      HSA_OVERRIDE_GFX_VERSION: nvidia ? null : "10.3.0",
      MUSTER_GPU: nvidia ? "0" : `${slot - 1}`,
      words: nvidia ? ["0", "0"] : [`${slot - 1}`, `${slot - 1}`],
    });
    t.equal(output.HSA_ENABLE_SDMA, "1", "the job's environment overrides the profile's");
    t.ok(output.locks.includes(nvidia ? "gpu-nvidia-0.lock" : `gpu-amd-${slot - 1}.lock`), output.locks.join(" "));
    t.match(cards, [
      nvidia
        ? { pci: NVIDIA, model: "RTX 3080 Ti", uuid: /^GPU-/ }
        : { pci: [AMD_0, AMD_1][slot - 1], model: "RX 6600", uuid: undefined },
    ]);
  }
});

for (const [need, slots, reason] of [
  [{ vendor: "nvidia" }, [0], "needs.vendor is nvidia, its profile rx6600 is amd"],
  [{ vram: "10GiB" }, [0], "needs.vram is 10.0 GiB, its profile rx6600 has 8.0 GiB"],
  [{ model: "RX 6600" }, [1, 2], "needs.model is RX 6600, its profile rtx3080ti is RTX 3080 Ti"],
] as const)
  t.test(`${JSON.stringify(need)} selects slots of a node`, { skip }, async (t) => {
    const name = `need-${Object.keys(need)[0]}`;
    t.same(slotsOf(await runJob(name, 6, { needs: need })), slots);
    const plan = await runMuster([
      "run",
      writeJob(`${name}-plan`, 6, { needs: need }),
      "-i",
      inventory,
      "--plan",
      "--json",
    ]);
    const [node] = (JSON.parse(plan.out) as { nodes: { slots: number; refusals: object[] }[] }).nodes;
    t.match(node, {
      slots: slots.length,
      refusals: [{ slots: [0, 1, 2].filter((one) => !slots.includes(one as never)), reason }],
    });
  });

t.test("several GPUs of a chunk are of one kind", { skip }, async (t) => {
  const lines = await runJob("pairs", 3, { needs: { gpus: 2 } });
  t.equal(lines.length, 3);
  for (const { slot, gpus, cards, output } of lines) {
    t.same([slot, gpus], [1, [1, 2]]);
    t.same(
      cards.map(({ pci }) => pci),
      [AMD_0, AMD_1],
    );
    t.match(output, { HIP_VISIBLE_DEVICES: "0,1", CUDA_VISIBLE_DEVICES: "", MUSTER_GPUS: "0,1", words: ["0", "0,1"] });
  }
  const plan = await runMuster(["run", writeJob("pairs-plan", 3, { needs: { gpus: 2 } }), "-i", inventory, "--plan"]);
  t.match(plan.out, /needs\.gpus is 2, it has 1 of rtx3080ti/);
  const refused = await runMuster(["validate", writeJob("triples", 3, { needs: { gpus: 3 } }), "-i", inventory]);
  t.equal(refused.code, 65);
  t.match(refused.err, /needs\.gpus is 3, and no node has more than 2 \(mixed\)/);
});

t.test("nodes and verify read the tools of both vendors", { skip }, async (t) => {
  const [node] = nodes;
  const look = async () => {
    const ran = await runMuster(["nodes", "-i", inventory, "--json"]);
    return (JSON.parse(ran.out) as { nodes: { gpus: object[]; gpuHealth: object }[] }).nodes[0]!;
  };
  t.match(await look(), {
    gpus: [{ vendor: "amd", pci: AMD_0 }, { vendor: "amd" }, { vendor: "nvidia", pci: NVIDIA }],
    gpuHealth: { sick: {}, toolError: null },
  });
  t.equal((await runMuster(["verify", "gpu", "gpu-locks", "-i", inventory])).code, 2, "the lock files are missing");
  t.equal((await runMuster(["verify", "gpu", "-i", inventory])).code, 0);
  const nvidia = { model: "RTX 3080 Ti", vram: 12 * 1024 ** 3, count: 1, release: "nvidia" } as const;
  node!.setGpus({ sick: [1], nvidia: { ...nvidia, sick: [0] } });
  t.teardown(() => node!.setGpus({ sick: [], nvidia }));
  t.match(await look(), { gpuHealth: { sick: { 0: `GPU ${NVIDIA}: `, 2: `GPU ${AMD_1}: ` }, toolError: null } });
  const verified = await runMuster(["verify", "gpu", "-i", inventory]);
  t.equal(verified.code, 2);
  t.match(verified.out, /gpus of nvidia/);
  t.match(verified.out, /gpus of amd/);
  const table = await runMuster(["nodes", "-i", inventory]);
  t.match(table.out, `! GPU ${NVIDIA}: `);
  t.match(table.out, `! GPU ${AMD_1}: `);
});

t.test("a run leaves out a lost card, and has the others", { skip }, async (t) => {
  const [node] = nodes;
  const groups = [
    { profile: "rtx3080ti", pci: [NVIDIA] },
    { profile: "rx6600", pci: [AMD_0, AMD_1] },
  ];
  node!.setGpus({ absent: [0] });
  t.teardown(() => node!.setGpus({ absent: [] }));
  const lines = await runJob("lost", 6, {}, lab.inventory({ file: "pci.yaml", node: { gpus: groups } }));
  t.same(slotsOf(lines), [0, 2]);
  for (const { slot, output } of lines)
    t.equal(slot === 0 ? output.CUDA_VISIBLE_DEVICES : output.HIP_VISIBLE_DEVICES, "0", "the index after the loss");
});

t.test("more GPUs in the inventory than a node has", { skip }, async (t) => {
  const groups = [
    { profile: "rtx3080ti", count: 3 },
    { profile: "rx6600", count: 2 },
  ];
  const ran = await runMuster(["nodes", "-i", lab.inventory({ file: "more.yaml", node: { gpus: groups } })]);
  t.match(ran.out, /! GPU 1 is not there: 1 of 3 were found/);
});
