import t from "tap";
import { parseInventory } from "../../fleet/inventory.js";
import { InvalidFileError } from "../../schemas/errors.js";
import { parseSource } from "../../schemas/parsesource.js";

const PROFILES = `profiles:
  rx: {vendor: amd, power: 100W, clocks: {sclk: [500, 2200], mclk: max}}
  rx2: {vendor: amd, power: 90W}
  rtx: {vendor: nvidia, power: 280W, persistence: on}
nodes:
`;
const parse = (nodes: string) =>
  parseInventory(parseSource("inventory.yaml", `${PROFILES}${nodes}\n`), "/x/inventory.yaml").nodes;

t.test("a node overrides the settings of its profile, and clocks one by one", async (t) => {
  const [node] = parse("  m: {profile: rx, power: 87.5 W, clocks: {mclk: [700, 800]}, fan: 60%, perf: manual}");
  t.same(node!.profile.settings, {
    powerWatts: 87.5,
    sclk: { minMhz: 500, maxMhz: 2200 },
    mclk: { minMhz: 700, maxMhz: 800 },
    fan: 0.6,
    perf: "manual",
    persistence: undefined,
    computeMode: undefined,
  });
  t.match(parse("  m: {profile: rtx, compute_mode: prohibited}")[0]!.profile.settings, {
    powerWatts: 280,
    persistence: "on",
    computeMode: "prohibited",
  });
  const [mixed] = parse("  m: {gpus: [{profile: rtx, count: 1}, {profile: rx, count: 1}]}");
  t.match(mixed!.gpuGroups, [
    { profile: { settings: { powerWatts: 280 } } },
    { profile: { settings: { mclk: "max" } } },
  ]);
  t.same(mixed!.profile.settings, {});
});

const A = "'0000:03:00.0'";
for (const [nodes, expected] of [
  ["  m: {profile: rx, power: 100}\n  n: {profile: rx, power: 100kW}", "7:27: nodes.n.power must be a power like 100W"],
  ["  m: {profile: rx, clocks: {sclk: [2200, 500]}}", "6:35: nodes.m.clocks.sclk must be max, or the bounds in MHz"],
  ["  m: {profile: rx, clocks: {sclk: 2200}}", "6:35: nodes.m.clocks.sclk must be max, or the bounds in MHz"],
  ["  m: {profile: rx, fan: 150%}", "6:25: nodes.m.fan must be auto, or a share"],
  ["  m: {profile: rx, perf: hgih}", '6:26: nodes.m.perf must be auto | manual | high | low, not "hgih"'],
  ["  m: {profile: rtx, fan: auto}", "6:26: nodes.m.fan: nvidia-smi cannot set fans, only an X server can"],
  ["  m: {profile: rx, persistence: on}", "6:33: nodes.m.persistence: only drivers of NVIDIA"],
  ["  m: {power: 100W}", "6:14: nodes.m.power: the GPUs are of no vendor"],
  ["  m: {profile: rx, perf: auto}", "2:42: profiles.rx.clocks: they are kept at perf: manual only, and perf is auto"],
  [
    "  m: {profile: rtx, persistence: off, clocks: {sclk: max}}",
    "6:47: nodes.m.clocks: the driver forgets them without",
  ],
  ["  m: {gpus: [{profile: rx, count: 1}], power: 90W}", "6:47: nodes.m.power: gpus lists kinds of GPU"],
  [
    `  m: {gpus: [{profile: rx, pci: [${A}]}, {profile: rx2, pci: [${A}]}]}`,
    "6:73: nodes.m.gpus[1].pci: 0000:03:00.0 belongs to gpus[0] already",
  ],
  [
    "  m: {host: rig, profile: rx}\n  night: {host: rig, profile: rx2}",
    "7:10: nodes.night: power of its GPUs differs from that of nodes.m, and both are host rig",
  ],
  [
    "  m: {connection: local, profile: rx}\n  l: {connection: local, profile: rx, clocks: {sclk: max}}",
    "7:6: nodes.l: clocks.sclk of its GPUs differs from that of nodes.m, and both are this machine",
  ],
] as const)
  t.test(`problem: ${nodes.trim()}`, async (t) => {
    try {
      parse(nodes);
      t.fail("no problem");
    } catch (error) {
      if (!(error instanceof InvalidFileError)) throw error;
      t.match(error.message, `inventory.yaml:${expected}`);
    }
  });

t.test("two entries for one machine may list different GPUs, or agree", async (t) => {
  const pci = (profile: string, address: string) => `gpus: [{profile: ${profile}, pci: ['${address}']}]`;
  parse(`  m: {host: rig, ${pci("rx", "0000:03:00.0")}}\n  n: {host: rig, ${pci("rx2", "0000:06:00.0")}}`);
  parse("  m: {host: rig, profile: rx}\n  n: {host: rig, profile: rx}\n  o: {host: rig, profile: rtx}");
  parse("  m: {host: rig, profile: rx}\n  n: {host: rig, port: 2222, profile: rx2}");
  t.pass("no problem");
});
