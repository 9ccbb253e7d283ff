import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { ExpectedGpus } from "../../fleet/gpus/gpuhealth.js";
import { NVIDIA_FIELDS, parseAmdSmi, parseNvidiaSmi, parseRocmSmi } from "../../fleet/gpus/smi.js";
import type { CommandState, Difference, FileState } from "../../playbooks/engine/resource.js";
import { diffGpus, type GpuAnswers } from "../../playbooks/gpu.js";
import { type GpuSetup, pciAddress, RTX_3080_TI, RX_6600, type SmiRelease } from "../lab/fakegpus.js";
import { projectRoot } from "../lab/project.js";

const ROCM = ["--showbus", "-c", "-p", "--showdriverversion", "--json"];
const NVIDIA = [`--query-gpu=${NVIDIA_FIELDS.join()}`, "--format=csv,noheader,nounits"];

/** Runs one of the lab's fake tools on this set-up. */
function fake(t: Test, release: SmiRelease, sick: number[]): (tool: string, ...words: string[]) => string {
  const file = join(t.testdir({}), "gpus.json");
  const setup: GpuSetup = { ...(release === "nvidia" ? RTX_3080_TI : RX_6600), count: 3, release, sick };
  writeFileSync(file, JSON.stringify(setup));
  const env = { ...process.env, LAB_GPUS: file };
  return (tool, ...words) =>
    execFileSync(join(projectRoot(), "test/lab/fakes", tool), words, { env, encoding: "utf8", stdio: "pipe" });
}

const healthy = (index: number, driver: string | null) => ({ pci: pciAddress(index), perf: "auto", driver });
const SICK = { clocks: { sclk: null, mclk: null }, perf: null };

t.test("every release's format, and a sick card in it", async (t) => {
  for (const release of ["rocm5", "rocm6", "rocm7"] as const) {
    const driver = release === "rocm5" ? "5.18.13" : "6.12.12";
    const shown = parseRocmSmi(fake(t, release, [1])("rocm-smi", ...ROCM));
    t.match(shown?.[0], { ...healthy(0, driver), clocks: { sclk: "(700Mhz)", mclk: "(96Mhz)" } }, release);
    t.match(shown?.[1], { pci: pciAddress(1), ...SICK });
    t.equal(shown?.length, 3);
  }
  for (const release of ["rocm6", "rocm7"] as const) {
    const tool = fake(t, release, [2]);
    const shown = parseAmdSmi(tool("amd-smi", "list", "--json"), tool("amd-smi", "metric", "-c", "-l", "--json"));
    t.match(shown?.[0], { ...healthy(0, null), clocks: { sclk: "700", mclk: "96" } }, release);
    t.match(shown?.[2], { pci: pciAddress(2), ...SICK });
  }
  const shown = parseNvidiaSmi(fake(t, "nvidia", [1])("nvidia-smi", ...NVIDIA));
  t.match(shown?.[0], { ...healthy(0, "550.144.03"), clocks: { sm: "210", mem: "405" } });
  t.match(shown?.[1], { pci: pciAddress(1), clocks: { sm: null, mem: null }, perf: null });
});

t.test("output that is no report is rejected", async (t) => {
  const table = [
    "",
    "{",
    "[[[",
    "null",
    "[]",
    '{"card0": null}',
    '{"card0": {"PCI Bus": 3}}',
    "{{".repeat(100_000),
    "x,y,z",
  ];
  for (const text of table) {
    t.equal(parseRocmSmi(text), undefined, text.slice(0, 40));
    t.equal(parseAmdSmi(text, text), undefined);
    t.equal(parseNvidiaSmi(text), undefined);
  }
  t.match(parseRocmSmi('WARNING: [x]\n{"card0": {"PCI Bus": "0000:03:00.0"}}\nbye'), [
    { pci: "0000:03:00.0", ...SICK },
  ]);
});

const said = (stdout: string, more: Partial<CommandState> = {}): CommandState => ({
  exit: 0,
  stdout,
  stderr: "",
  ...more,
});
const MISSING: FileState = { kind: "missing" };
const bus = (...indexes: number[]) => said(indexes.map((index) => `${pciAddress(index)} 0x1002\n`).join(""));
const reported = (found: Difference[]) => found.map(({ what, have, want }) => `${what}: ${have} -> ${want}`);

t.test("want + have -> differences", async (t) => {
  const well = said(fake(t, "rocm6", [])("rocm-smi", ...ROCM));
  const sick = said(fake(t, "rocm6", [1])("rocm-smi", ...ROCM));
  const slow = said(well.stdout.replace('"auto"', '"unknown"'));
  const set = said(well.stdout.replace('"auto"', '"low"'));
  const none = said("");
  const three: ExpectedGpus = { vendor: "amd", count: 3, addresses: [] };
  const [first, second, third] = [0, 1, 2].map(pciAddress);
  const listed: ExpectedGpus = { ...three, addresses: [first!, third!, pciAddress(5)] };
  const amd = fake(t, "rocm7", [0]);
  const table: [ExpectedGpus, GpuAnswers, string[]][] = [
    [three, [bus(0, 1, 2), MISSING, well, none, none], []],
    [{ ...three, count: undefined }, [none, MISSING, well, none, none], []],
    [{ ...three, count: 4 }, [bus(0, 1, 2), MISSING, well], ["GPU 3 is not there: 3 of 4 were found -> healthy"]],
    [three, [bus(0, 1, 2), MISSING, sick], [`GPU ${second}: sclk N/A, mclk N/A, perf unknown -> healthy`]],
    [three, [bus(0, 1, 2), MISSING, slow], [`GPU ${first}: sclk (700Mhz), mclk (96Mhz), perf unknown -> healthy`]],
    [
      { ...three, count: 4 },
      [bus(0, 1, 2, 3), MISSING, well],
      [`GPU ${pciAddress(3)}: on the PCI bus, but rocm-smi does not show it -> healthy`],
    ],
    [listed, [bus(0, 1, 2), MISSING, sick], [`GPU ${pciAddress(5)}: not on the PCI bus any more -> healthy`]],
    [
      three,
      [bus(0, 1, 2), MISSING, said("", { exit: null, error: "no answer within 10 s" })],
      ["rocm-smi: no answer within 10 s -> a report"],
    ],
    [
      three,
      [bus(0, 1, 2), MISSING, said("", { exit: 1, stderr: "a\nno driver\n" })],
      ["rocm-smi: exit 1: no driver -> a report"],
    ],
    [three, [bus(0, 1, 2), MISSING, set, none, none], []],
    [three, [bus(0, 1, 2), MISSING, said("WARNING: {[")], ["rocm-smi: names no GPU: WARNING: {[ -> a report"]],
    [
      three,
      [bus(0, 1, 2), MISSING, none, said("", { exit: 127 }), said("", { exit: 127 })],
      ["amd-smi: is not installed -> a report"],
    ],
    [
      three,
      [
        bus(0, 1, 2),
        MISSING,
        none,
        said(amd("amd-smi", "list", "--json")),
        said(amd("amd-smi", "metric", "-c", "-l", "--json")),
      ],
      [`GPU ${first}: sclk N/A, mclk N/A, perf unknown -> healthy`],
    ],
    [
      { ...three, vendor: "nvidia" },
      [none, MISSING, said("", { exit: 127 })],
      ["nvidia-smi: is not installed -> a report"],
    ],
  ];
  for (const [want, answers, expected] of table) t.same(reported(diffGpus(want, answers)), expected);
});
