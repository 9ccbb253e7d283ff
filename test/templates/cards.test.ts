import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { projectRoot } from "../lab/project.js";

const PROGRAM = `import json, os, sys
sys.path.insert(0, sys.argv[1])
from muster_agent.gpu import cards
folder, vendor, known, gone = sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), json.loads(sys.argv[5])
cards.BUS, cards.KFD_NODES = folder + "/bus/", folder + "/kfd/"
all_cards = cards.Cards(vendor)
all_cards.set_up(known)
for pci in gone: os.rename(cards.BUS + pci, folder + "/" + pci)
bound = [all_cards.binding([gpu]) for gpu in range(len(all_cards.pci))]
present = [all_cards.is_present(pci) for pci in all_cards.pci]
print(json.dumps({"pci": all_cards.pci, "present": present, "bound": [{k.decode(): v.decode() for k, v in one.items()} for one in bound]}))`;

interface SetUp {
  vendor?: "amd" | "nvidia";
  known?: string[];
  gone?: string[];
  /** Location ids of the GPUs that AMD's runtime numbers; undefined: no such folder. */
  kfd?: number[];
}

type Devices = Record<string, [vendor: string, kind: string]>;

function bind(t: Test, bus: Devices, setUp: SetUp): { pci: string[]; bound: Record<string, string>[] } {
  const { pci, bound } = setUpCards(t, bus, setUp);
  return { pci, bound };
}

/** `bus`: vendor and class of the devices. */
function setUpCards(
  t: Test,
  bus: Devices,
  { vendor = "amd", known = [], gone = [], kfd }: SetUp,
): { pci: string[]; bound: Record<string, string>[]; present: boolean[] } {
  const folder = t.testdir({});
  for (const [pci, [id, kind]] of Object.entries(bus)) {
    mkdirSync(join(folder, "bus", pci), { recursive: true });
    writeFileSync(join(folder, "bus", pci, "vendor"), `${id}\n`);
    writeFileSync(join(folder, "bus", pci, "class"), `${kind}\n`);
  }
  for (const [node, place] of [0, ...(kfd ?? [])].entries()) {
    if (kfd === undefined) continue;
    mkdirSync(join(folder, "kfd", `${node}`), { recursive: true });
    const text = `cpu_cores_count 0\nsimd_count ${place === 0 ? 0 : 56}\nlocation_id ${place}\ndomain 0\n`;
    writeFileSync(join(folder, "kfd", `${node}`, "properties"), text);
  }
  const words = [join(projectRoot(), "templates"), folder, vendor, JSON.stringify(known), JSON.stringify(gone)];
  return JSON.parse(execFileSync("python3", ["-B", "-c", PROGRAM, ...words], { encoding: "utf8" }));
}

const [A, APU, B] = ["0000:03:00.0", "0000:04:00.0", "0000:06:00.0"];
const GPU: [string, string] = ["0x1002", "0x030000"];
const MACHINE = { [A]: GPU, [APU]: GPU, "0000:04:00.2": ["0x1022", "0x108000"] as [string, string], [B]: GPU };
const number = (value: string) => ({ HIP_VISIBLE_DEVICES: value });

t.test("the graphics of a processor is no slot, but the runtime numbers it", async (t) => {
  t.same(bind(t, MACHINE, {}), { pci: [A, B], bound: [{}, number("2")] });
});

t.test("the runtime numbers only what the kernel lists for it", async (t) => {
  t.same(bind(t, MACHINE, { kfd: [0x300, 0x600] }), { pci: [A, B], bound: [{}, {}] });
  t.same(bind(t, MACHINE, { kfd: [0x300, 0x400, 0x600] }), { pci: [A, B], bound: [{}, number("2")] });
});

t.test("cards that the inventory names among others", async (t) => {
  const nvidia: [string, string] = ["0x10de", "0x030200"];
  const bus = { [A]: nvidia, [APU]: nvidia, [B]: nvidia };
  const { bound } = bind(t, bus, { vendor: "nvidia", known: [A, B] });
  t.same(bound, [{}, { CUDA_VISIBLE_DEVICES: "2" }]);
});

t.test("processing accelerators and their partitions keep their numbers, also when a card is lost", async (t) => {
  const accelerator: [string, string] = ["0x1002", "0x120000"];
  const bus = { [A]: accelerator, [B]: accelerator };
  t.same(bind(t, bus, {}).pci, [A, B]);
  const partitions = [A, A, B, B];
  t.same(bind(t, bus, { known: partitions }).bound, [{}, {}, {}, {}]);
  t.same(bind(t, bus, { known: partitions, gone: [A] }).bound, [{}, {}, number("0"), number("1")]);
});

t.test("a processor's graphics is a slot where there is nothing else", async (t) => {
  const { [A]: _, [B]: __, ...alone } = MACHINE;
  t.same(bind(t, alone, {}), { pci: [APU], bound: [{}] });
});

t.test(
  "a GPU that was on the bus is absent without it; a sandbox whose bus is empty shows nothing of its GPUs",
  async (t) => {
    const nvidia: [string, string] = ["0x10de", "0x030200"];
    const setUp = { vendor: "nvidia", known: [A, B] } as const;
    const present = (bus: Devices, gone: string[] = []) =>
      setUpCards(t, bus, { ...setUp, known: [A, B], gone }).present;
    t.same(present({ [A]: nvidia, [B]: nvidia }, [B]), [true, false]);
    t.same(present({ [A]: nvidia }, [A]), [false, false]);
    t.same(present({}), [true, true]);
  },
);

t.test("GPUs that NVIDIA's tool calls lost, alone or in a row among others", async (t) => {
  const program = `import json, sys; sys.path.insert(0, sys.argv[1])
from muster_agent.gpu.vram_scripts import parse_lost
print(json.dumps(sorted(parse_lost(sys.stdin.read()))))`;
  const lost = (input: string) =>
    JSON.parse(
      execFileSync("python3", ["-B", "-c", program, join(projectRoot(), "templates")], { input, encoding: "utf8" }),
    );
  const rows = `0000${A}, 12, GPU-a\n0000${B}, [GPU is lost], [GPU is lost]\n`;
  t.same(lost(rows), [B]);
  t.same(lost(`Unable to determine the device handle for GPU0000:03:00.0: GPU is lost.\n`), [A]);
  t.same(lost(`0000${A}, [N/A], GPU-a\n`), []);
});
