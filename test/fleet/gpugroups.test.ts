import t from "tap";
import { expectGpus, findGpuIndex, findProfileOf, listGpus } from "../../fleet/gpus/gpugroups.js";
import { parseInventory } from "../../fleet/inventory.js";
import { InvalidFileError } from "../../schemas/errors.js";
import { parseSource } from "../../schemas/parsesource.js";

const PROFILES = `profiles:
  rtx: {vendor: nvidia, model: RTX 3080 Ti, vram: 12GiB, rate: 29000, env: {A: profile, B: profile}}
  old: {vendor: nvidia, kernel: {nvidia.x: 1}}
  rx: {vendor: amd, vram: 8GiB, memory_fraction: 0.8, max_concurrent: 1, kernel: {amdgpu.x: 1, nvidia.x: 2}}
  cpu: {rate: 3}
nodes:
`;
const parse = (node: string) => {
  const text = `${PROFILES}  m: ${node}\n`;
  return parseInventory(parseSource("inventory.yaml", text), "/x/inventory.yaml").nodes[0]!;
};

t.test("each kind has its profile, with what the node overrides", async (t) => {
  const node = parse("{gpus: [{profile: rtx, count: 1}, {profile: rx, count: 2}], env: {A: node}}");
  t.match(node, { gpus: 3, env: { A: "node", B: undefined }, maxConcurrent: undefined });
  t.match(node.profile, { name: "rtx+rx", vendor: "none", kernel: { "amdgpu.x": "1" } });
  t.match(node.gpuGroups, [
    { count: 1, profile: { name: "rtx", rate: 29000 }, env: { A: "node", B: "profile" } },
    { count: 2, profile: { name: "rx", memoryFraction: 0.8 }, env: { A: "node" } },
  ]);
  t.same(expectGpus(node), [
    { vendor: "nvidia", count: 1, addresses: [] },
    { vendor: "amd", count: 2, addresses: [] },
  ]);
});

t.test("GPUs are numbered among those of their vendor, in the order of their addresses", async (t) => {
  const node = parse(
    "{kernel: {nvidia.x: 3}, gpus: [{profile: rtx, pci: ['0000:09:00.0', '0000:03:00.0']}, {profile: rx, count: 1}, {profile: old, pci: ['0000:06:00.0']}]}",
  );
  const listed = listGpus(node.gpuGroups!).map(({ group, device }) => [group.profile.name, device]);
  t.same(listed, [
    ["rtx", 2],
    ["rtx", 0],
    ["rx", 0],
    ["old", 1],
  ]);
  t.same(expectGpus(node)[0], {
    ...{ vendor: "nvidia", count: 3 },
    addresses: ["0000:03:00.0", "0000:06:00.0", "0000:09:00.0"],
  });
  t.equal(findGpuIndex(node, "nvidia", 1), 3);
  t.equal(findProfileOf(node, "nvidia", 1).name, "old");
  t.equal(findProfileOf(node, "amd", 0).name, "rx");
});

const A = "'0000:03:00.0'";
for (const [node, ...expected] of [
  [
    "{gpus: [{profile: rtz, count: 1}]}",
    '7:24: nodes.m.gpus[0].profile: there is no profile "rtz" (did you mean "rtx"?)',
  ],
  [
    "{gpus: [{profile: cpu, count: 1}]}",
    '7:24: nodes.m.gpus[0].profile: the profile "cpu" is of no vendor (add vendor: amd or vendor: nvidia under profiles.cpu)',
  ],
  [
    "{gpus: [{profile: rtx}]}",
    "7:14: nodes.m.gpus[0] says neither count nor pci (add count: N, the number of these GPUs)",
  ],
  [
    `{gpus: [{profile: rtx, count: 2, pci: [${A}]}]}`,
    "7:36: nodes.m.gpus[0].count is 2, and pci lists 1 (remove count, or correct the list)",
  ],
  [
    `{gpus: [{profile: rtx, pci: [${A}]}, {profile: rx, pci: [${A}]}]}`,
    "7:73: nodes.m.gpus[1].pci: 0000:03:00.0 belongs to gpus[0] already (remove it from one of them)",
  ],
  [
    `{gpus: [{profile: rtx, pci: [${A}]}, {profile: old, count: 1}]}`,
    "7:53: nodes.m.gpus[1]: gpus[0] is of nvidia, too, so a count does not tell which GPUs are old (add pci with their addresses, as `muster nodes` prints them)",
  ],
  [
    "{profile: rx, gpus: [{profile: rx, count: 1}, {profile: rtx, count: 1}]}",
    "7:16: nodes.m.profile is rx, and gpus[1].profile is rtx (remove profile: gpus names the profiles of all GPUs)",
  ],
  [
    "{vram: 8GiB, gpus: [{profile: rtx, count: 1}]}",
    "7:13: nodes.m.vram: gpus lists kinds of GPU (move it into their profiles)",
  ],
  [`{pci: [${A}], gpus: [{profile: rtx, count: 1}]}`, "7:12: nodes.m.pci: gpus lists kinds of GPU (move it into gpus)"],
  [
    "{gpus: [{profile: old, count: 1}, {profile: rx, count: 1}]}",
    "7:40: nodes.m.gpus[1]: kernel nvidia.x is 2 in rx, and 1 in old (set it in kernel of the node: a machine has one value)",
  ],
  ["{gpus: [{profile: rtx, count: 1, model: x}]}", '7:39: unknown key "model" in nodes.m.gpus[0] (known here: pci)'],
  ["{gpus: []}", /7:\d+: nodes\.m\.gpus /],
] as const)
  t.test(`refuses ${node}`, async (t) => {
    try {
      parse(node);
      t.fail("it was accepted");
    } catch (error) {
      if (!(error instanceof InvalidFileError)) throw error;
      const texts = error.problems.map(
        ({ line, column, message, hint }) => `${line}:${column}: ${message}${hint === undefined ? "" : ` (${hint})`}`,
      );
      t.match(texts, expected);
      t.equal(texts.length, 1);
    }
  });

t.test("a profile of the node that agrees is no contradiction", async (t) => {
  t.match(parse("{profile: rx, gpus: [{profile: rx, count: 2}]}"), {
    gpus: 2,
    gpuGroups: [{ profile: { name: "rx" } }],
  });
});
