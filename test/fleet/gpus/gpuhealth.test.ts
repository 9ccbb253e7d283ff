import t from "tap";
import { assessGpus, type ExpectedGpus } from "../../../fleet/gpus/gpuhealth.js";
import type { ProbeOutput } from "../../../fleet/gpus/probeoutput.js";

const A = "0000:03:00.0";
const B = "0000:06:00.0";
const C = "0000:09:00.0";

const said = (stdout: string, exit = 0): ProbeOutput => ({ exit, stdout, stderr: "" });
const bus = (...cards: string[]) => said(cards.map((pci) => `${pci} 0x1002`).join("\n"));
const card = (pci: string, sclk = "(700Mhz)", perf = "auto") => ({
  "PCI Bus": pci.toUpperCase(),
  "sclk clock speed:": sclk,
  "mclk clock speed:": "(96Mhz)",
  "Performance Level": perf,
});
const rocm = (...cards: object[]) =>
  said(JSON.stringify(Object.fromEntries(cards.map((one, index) => [`card${index}`, one]))));

const amd: ExpectedGpus = { vendor: "amd", count: 2, addresses: [] };
const nvidia: ExpectedGpus = { vendor: "nvidia", count: 1, addresses: [] };
const csv = (clock: string, errors: string) => said(`00000000:03:00.0, 550.1, ${clock}, 405, P8, ${errors}\n`);
const nvidiaBus = said(`${A} 0x10de`);
const xid = (code: number) => said(`[1.5] NVRM: Xid (PCI:0000:03:00): ${code}, pid=7, name=python3, text\n`);

const TABLE: [what: string, want: ExpectedGpus, known: string[], answers: ProbeOutput[], sick: [number, RegExp][]][] = [
  ["all well", amd, [], [bus(A, B), rocm(card(A), card(B))], []],
  [
    "N/A clocks",
    amd,
    [A, B],
    [bus(A, B), rocm(card(A), card(B, "N/A"))],
    [[1, /06:00.0: sclk N\/A, mclk \(96Mhz\), perf auto/]],
  ],
  ["perf unknown", amd, [A, B], [bus(A, B), rocm(card(A, "1", "unknown"), card(B))], [[0, /perf unknown/]]],
  [
    "off the bus: the others keep their index",
    amd,
    [A, B, C],
    [bus(A, C), rocm(card(A), card(C, "N/A"))],
    [
      [1, /not on the PCI bus/],
      [2, /N\/A/],
    ],
  ],
  [
    "on the bus, not shown",
    amd,
    [A, B],
    [bus(A, B), rocm(card(A))],
    [[1, /on the PCI bus, but rocm-smi does not show it/]],
  ],
  ["not there from the start", amd, [], [bus(A), rocm(card(A))], [[1, /GPU 1 is not there: 1 of 2 were found/]]],
  [
    "a card that the inventory names",
    { ...amd, addresses: [A, C] },
    [],
    [bus(A, B), rocm(card(A), card(B, "N/A"))],
    [[1, /09:00.0: not on the PCI bus/]],
  ],
  ["uncorrected ECC errors", nvidia, [], [nvidiaBus, csv("210", "3")], [[0, /3 uncorrected memory errors/]]],
  ["no ECC", nvidia, [], [nvidiaBus, csv("210", "[N/A]"), said("", 1)], []],
  ["fallen off", nvidia, [A], [nvidiaBus, csv("210", "0"), xid(79)], [[0, /Xid 79/]]],
  ["a program's own Xid", nvidia, [A], [nvidiaBus, csv("210", "0"), xid(31)], []],
];

const SYSFS =
  "pp_dpm_sclk 0: 500Mhz\npp_dpm_sclk 1: 700Mhz *\npp_dpm_mclk 0: 96Mhz *\npower_dpm_force_performance_level auto";
const kernel = (...texts: [pci: string, text: string][]) =>
  said(["sysfs", ...texts.flatMap(([pci, text]) => text.split("\n").map((line) => `${pci} ${line}`))].join("\n"));

t.test("the quick check suffices only where the kernel reports that every GPU is healthy", async (t) => {
  const enough = (...answers: ProbeOutput[]) => {
    const { isQuick, areAllHealthy } = assessGpus(amd, [A, B], answers);
    t.ok(isQuick);
    return areAllHealthy;
  };
  t.ok(enough(bus(A, B), kernel([A, SYSFS], [B, SYSFS])));
  t.notOk(enough(bus(A, B), kernel([A, SYSFS])), "one is silent");
  t.notOk(enough(bus(A), kernel([A, SYSFS])), "one is off the bus");
  t.notOk(enough(bus(A, B), kernel()), "an old kernel");
  t.notOk(enough(bus(A, B), kernel([A, SYSFS], [B, SYSFS.replaceAll("*", "")])), "no clock");
  t.notOk(enough(bus(A, B), kernel([A, SYSFS], [B, SYSFS.replace("auto", "unknown")])), "perf unknown");
  t.ok(enough(bus(A, B), kernel([A, SYSFS], [B, SYSFS.replace("auto", "manual")])), "a setting of the owner");
  t.notOk(enough(bus(A, B), { ...kernel([A, SYSFS], [B, SYSFS]), exit: null, error: "no answer within 3 s; killed" }));
  t.notOk(assessGpus(amd, [A, B], [bus(A, B), rocm(card(A), card(B))]).isQuick);
});

t.test(
  "a GPU that NVIDIA's driver has lost is sick, and what its tool reports of the others delays nothing",
  async (t) => {
    const two: ExpectedGpus = { ...nvidia, count: 2 };
    for (const name of ["GPU 00000000:06:00.0: GPU is lost.", "GPU1: 0000:06:00.0: Unknown Error"]) {
      const answers = [
        said(`${A} 0x10de\n${B} 0x10de`),
        said(`Unable to determine the device handle for ${name}\n`, 15),
      ];
      const { sick, toolError } = assessGpus(two, [A, B], answers);
      t.same([...sick], [[1, `GPU ${B}: the driver has lost it`]]);
      t.match(toolError, "nvidia-smi: exit 15");
    }
  },
);

for (const [what, want, known, answers, sick] of TABLE)
  t.test(what, async (t) => {
    const judged = assessGpus(want, known, answers);
    t.equal(judged.toolError, undefined);
    t.same(
      [...judged.sick.keys()].sort(),
      sick.map(([index]) => index),
    );
    for (const [index, reason] of sick) t.match(judged.sick.get(index), reason);
  });

t.test("a tool without output makes no GPU sick", async (t) => {
  const hung: ProbeOutput = { exit: null, stdout: "", stderr: "", error: "no answer within 10 s; killed" };
  t.match(assessGpus(amd, [A, B], [bus(A, B), hung, said(""), said("")]), {
    toolError: /rocm-smi: no answer/,
    isUnobservable: false,
  });
  t.equal(assessGpus(amd, [A, B], [bus(A, B), hung, said(""), said("")]).sick.size, 0);
  t.match(assessGpus(amd, [A, B], [bus(A), hung]).sick.get(1), /not on the PCI bus any more/);
});

t.test("nothing is queried where no GPU tool is installed", async (t) => {
  const missing = said("", 127);
  const judged = assessGpus(amd, [], [said(""), said(""), missing, missing]);
  t.match(judged, { isUnobservable: true, toolError: undefined });
  t.equal(judged.sick.size, 0);
});
