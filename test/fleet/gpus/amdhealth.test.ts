import t from "tap";
import { assessGpus, type ExpectedGpus } from "../../../fleet/gpus/gpuhealth.js";
import type { ProbeOutput } from "../../../fleet/gpus/probeoutput.js";
import { parseAmdSmi } from "../../../fleet/gpus/smi.js";

const A = "0000:03:00.0";
const B = "0000:06:00.0";
const two: ExpectedGpus = { vendor: "amd", count: 2, addresses: [] };

const said = (stdout: string, exit = 0, stderr = ""): ProbeOutput => ({ exit, stdout, stderr });
const NONE = said("");
const bus = (...lines: string[]) => said(lines.map((line) => line.replace(/ |$/, " 0x1002 ").trimEnd()).join("\n"));
const rocm = (...cards: object[]) =>
  said(JSON.stringify(Object.fromEntries(cards.map((one, index) => [`card${index}`, one]))));
const well = (pci: string, perf = "auto") => ({
  "PCI Bus": pci,
  "sclk clock speed:": "(700Mhz)",
  "mclk clock speed:": "(96Mhz)",
  "Performance Level": perf,
});
const silent = (pci: string) => ({ "PCI Bus": pci, "Performance Level": "unknown" });
const powers = (...lines: string[]) => said(lines.join("\n"));

t.test("performance levels are settings of the owner, except unknown", async (t) => {
  for (const level of ["auto", "low", "high", "manual", "perf_determinism", "profile_peak", "stable_std"])
    t.equal(assessGpus(two, [], [bus(A, B), rocm(well(A), well(B, level))]).sick.size, 0, level);
  t.match(assessGpus(two, [], [bus(A, B), rocm(well(A), well(B, "unknown"))]).sick.get(1), "perf unknown");
});

t.test("a GPU that sleeps is healthy; one that is awake or cannot wake, and reports nothing, is sick", async (t) => {
  const health = (...lines: string[]) =>
    assessGpus(two, [], [bus(A, B), rocm(silent(A), well(B)), NONE, NONE, powers(...lines)]);
  const asleep = health(`${A} suspended`, `${B} active`);
  t.same([...asleep.sick], []);
  t.same(asleep.notes, [`GPU ${A} sleeps (power/runtime_status: suspended) and wakes when a program uses it`]);
  t.ok(asleep.areAllHealthy);
  t.match(health(`${A} active`).sick.get(0), "sclk N/A, mclk N/A, perf unknown");
  t.match(health(`${A} unsupported`).sick.get(0), "perf unknown", "no runtime power management");
  t.match(health().sick.get(0), "perf unknown", "an old kernel");
  t.match(health(`${A} error`).sick.get(0), "cannot leave runtime suspend");
  const hung: ProbeOutput = { exit: null, stdout: "", stderr: "", error: "no answer within 10 s; killed" };
  const { sick, toolError } = assessGpus(
    two,
    [A, B],
    [bus(A, B), hung, NONE, NONE, powers(`${A} error`, `${B} active`)],
  );
  t.same([...sick.keys()], [0], "the kernel says so where the tool hangs");
  t.match(toolError, "no answer");
});

t.test("a GPU that falls asleep between checks does not count as silenced", async (t) => {
  const first = assessGpus(two, [], [bus(A, B), rocm(well(A), well(B)), NONE, NONE, powers(`${A} active`)]);
  const reports = [bus(A, B), rocm({ "PCI Bus": A }, well(B)), NONE, NONE];
  t.equal(assessGpus(two, first.cards, [...reports, powers(`${A} suspended`)], first.reported).sick.size, 0);
  t.match(
    assessGpus(two, first.cards, [...reports, powers(`${A} active`)], first.reported).sick.get(0),
    "sclk N/A, mclk N/A, perf unknown",
  );
});

t.test("a whole report counts whatever the exit code, half a report does not", async (t) => {
  for (const exit of [2, 15]) {
    const { sick, toolError } = assessGpus(two, [], [bus(A, B), { ...rocm(well(A), well(B)), exit }]);
    t.same([sick.size, toolError], [0, undefined], `exit ${exit}`);
  }
  const half = { ...rocm(well(A), well(B)), exit: 15 };
  half.stdout = half.stdout.slice(0, 150);
  t.match(assessGpus(two, [], [bus(A, B), half]).toolError, "rocm-smi: exit 15");
});

t.test("the clocks of amd-smi in ROCm 6.0, 6.1, and since 6.2", async (t) => {
  const list = JSON.stringify([{ gpu: 0, bdf: A }]);
  const value = { value: 800, unit: "MHz" };
  const table: [release: string, clock: object][] = [
    ["6.0", { gfx: { cur_clk: 800, max_clk: 2750 }, MEM: { cur_clk: 541 }, VCLK0: { cur_clk: 23 } }],
    ["6.1", { gfx: { clk: value }, mem: { clk: { value: 541, unit: "MHz" } } }],
    ["6.2", { gfx_0: { clk: value }, mem_0: { clk: { value: 541, unit: "MHz" } }, vclk_0: { clk: "N/A" } }],
    ["MI300X", { gfx_0: { clk: "N/A" }, gfx_1: { clk: value }, mem_0: { clk: { value: 541, unit: "MHz" } } }],
  ];
  for (const [release, clock] of table) {
    const found = parseAmdSmi(list, JSON.stringify([{ gpu: 0, clock, perf_level: "AMDSMI_DEV_PERF_LEVEL_AUTO" }]));
    t.match(found, [{ pci: A, clocks: { sclk: "800", mclk: "541" }, perf: "auto", isUnreadable: false }], release);
  }
});

t.test("the graphics of a processor is no member of the fleet, unless there is nothing else", async (t) => {
  const one: ExpectedGpus = { ...two, count: 1 };
  const report = rocm(silent(A), well(B));
  const { cards, sick } = assessGpus(one, [], [bus(`${A} integrated`, B), report]);
  t.same([cards, sick.size], [[B], 0]);
  t.same(assessGpus(one, [], [bus(`${A} integrated`), rocm(well(A))]).cards, [A]);
  const named = assessGpus({ ...one, addresses: [A] }, [], [bus(`${A} integrated`, B), rocm(well(A), well(B))]);
  t.same([named.cards, [...named.sick.values()]], [[A], []], "unless the inventory names it");
});

t.test("the partitions of a card share its address, and its health", async (t) => {
  const four: ExpectedGpus = { ...two, count: 4 };
  const entries = (...places: string[]) =>
    rocm(...places.map((pci, index) => (index % 2 === 0 ? well(pci) : silent(pci))));
  for (const places of [
    [A, A, B, B],
    [A, A.replace(".0", ".1"), B, B.replace(".0", ".1")],
  ]) {
    const { cards, sick, areAllHealthy } = assessGpus(four, [], [bus(A, B), entries(...places)]);
    t.same([cards, [...sick.values()], areAllHealthy], [[A, A, B, B], [], true]);
  }
  const { sick } = assessGpus(four, [A, A, B, B], [bus(A), entries(A, A)]);
  t.same([...sick.keys()], [2, 3], "a card that is lost takes its partitions with it");
});

t.test("what rocm-smi says on stderr only is reported", async (t) => {
  const output = said("", 0, "ERROR:root:Driver not initialized (amdgpu not found in modules)\n");
  const { sick, toolError } = assessGpus(two, [], [bus(A, B), output, NONE, NONE]);
  t.same([sick.size, toolError?.startsWith("rocm-smi: ")], [0, true]);
  t.match(toolError, "Driver not initialized");
});

t.test("a bus without a GPU counts only where the tool finds none either", async (t) => {
  const none = said("WARNING: No JSON data to report\n");
  const gone = assessGpus(two, [A, B], [NONE, none, NONE, NONE]);
  t.same([...gone.sick.values()], [`GPU ${A}: not on the PCI bus any more`, `GPU ${B}: not on the PCI bus any more`]);
  const never = assessGpus(two, [], [NONE, none, NONE, NONE]);
  t.same([...never.sick.values()], ["GPU 0 is not there: 0 of 2 were found", "GPU 1 is not there: 0 of 2 were found"]);
  const hung: ProbeOutput = { exit: null, stdout: "", stderr: "", error: "no answer within 10 s; killed" };
  for (const known of [[], [A, B]]) t.equal(assessGpus(two, known, [NONE, hung, NONE, NONE]).sick.size, 0);
  t.equal(assessGpus(two, [A, B], [NONE, rocm(well(A), well(B))]).sick.size, 0, "a container without the bus");
});
