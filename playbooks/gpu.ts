import type { CommandState, Difference, FileState, Playbook, Probe, Resource } from "./engine/resource.js";
import { NVIDIA_FIELDS, parseAmd, parseNvidia, parseRocm, type Shown } from "./gpu/smi.js";

/** Seconds that a tool has: a sick card makes it hang. */
const PATIENCE = 10;
const TOOLS = "PATH=$PATH:/opt/rocm/bin:/usr/local/bin:/usr/sbin:/sbin";
const VENDORS = { amd: "0x1002", nvidia: "0x10de" } as const;
const PCI_BUS = `for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] && read -r class <"$device/class" && read -r vendor <"$device/vendor" || continue
  case $class in 0x03*) echo "\${device##*/} $vendor";; esac
done`;
const AMD_ONLY = "command -v rocm-smi >/dev/null || exec amd-smi";

/** Every GPU that the inventory expects is there, shows its clocks, and manages them itself. It can only be reported. */
const gpu: Playbook = ({ node }) => {
  const { vendor } = node.profile;
  return vendor === "none" ? [] : [gpus({ vendor, count: node.gpus, addresses: node.pci ?? [] })];
};
export default gpu;

export interface Expected {
  vendor: "amd" | "nvidia";
  count: number | undefined;
  addresses: string[];
}

/** What the node answered: the PCI bus, ROCm's version, then the tools of the vendor. */
export type Answers = [bus: CommandState, rocm: FileState, ...tools: CommandState[]];

function gpus(want: Expected): Resource<Answers> {
  const shell = (script: string): Probe => ({
    ask: "command",
    argv: ["/bin/sh", "-c", `${TOOLS}; ${script}`],
    timeout: PATIENCE,
  });
  const tools =
    want.vendor === "nvidia"
      ? [`exec nvidia-smi --query-gpu=${NVIDIA_FIELDS.join()} --format=csv,noheader,nounits`]
      : [
          "command -v rocm-smi >/dev/null || exit 0; exec rocm-smi --showbus -c -p --showdriverversion --json",
          `${AMD_ONLY} list --json`,
          `${AMD_ONLY} metric -c -l --json`,
        ];
  const version: Probe = { ask: "file", path: "/opt/rocm/.info/version", cap: 100 };
  return {
    name: "gpus",
    probe: { ask: "all", of: [shell(PCI_BUS), version, ...tools.map(shell)] },
    diff: (answers) => gpuDifferences(want, answers),
    notes: (answers) => gpuNotes(want, answers),
  };
}

/** Pure: what is missing or sick. */
export function gpuDifferences(want: Expected, answers: Answers): Difference[] {
  const report = reportOf(want, answers);
  const bus = onBus(want, answers);
  const seen = new Set([...bus, ...(report.shown ?? []).map(({ pci }) => pci)]);
  return [
    ...(report.shown === undefined ? [{ what: report.tool, have: report.problem, want: "a report" }] : []),
    ...want.addresses
      .filter((pci) => !seen.has(pci))
      .map((pci) => ({ what: `GPU ${pci}`, have: "not on the PCI bus", want: "present" })),
    ...countDifference(want, [...seen].sort()),
    ...bus
      .filter((pci) => report.shown !== undefined && !report.shown.some((one) => one.pci === pci))
      .filter((pci) => isWanted(want, pci))
      .map((pci) => ({
        what: `GPU ${pci}`,
        have: `on the PCI bus, but ${report.tool} does not show it`,
        want: "shown",
      })),
    ...(report.shown ?? []).filter(({ pci }) => isWanted(want, pci)).flatMap(sickness),
  ];
}

/** Where addresses are listed, others (a processor's own graphics) are nobody's business. */
function isWanted(want: Expected, pci: string): boolean {
  return want.addresses.length === 0 || want.addresses.includes(pci);
}

function countDifference({ count, addresses }: Expected, seen: string[]): Difference[] {
  if (count === undefined || addresses.length > 0 || seen.length >= count) return [];
  return [{ what: "GPUs", have: `${seen.length} (${seen.join(", ") || "none"})`, want: String(count) }];
}

function sickness({ pci, clocks, perf }: Shown): Difference[] {
  const values = [
    ...Object.entries(clocks).map(([name, value]) => `${name} ${value ?? "N/A"}`),
    `perf ${perf ?? "unknown"}`,
  ];
  const isWell = perf === "auto" && Object.values(clocks).every((value) => value !== null);
  return isWell ? [] : [{ what: `GPU ${pci}`, have: values.join(", "), want: "clocks, and perf auto" }];
}

function reportOf(want: Expected, [, , ...tools]: Answers): { tool: string; shown?: Shown[]; problem: string } {
  const [first, second, third] = tools;
  if (want.vendor === "nvidia") return judged("nvidia-smi", [first], parseNvidia(first?.stdout ?? ""));
  const isRocm = first?.error !== undefined || first?.exit !== 0 || first.stdout.trim() !== "";
  if (isRocm) return judged("rocm-smi", [first], parseRocm(first?.stdout ?? ""));
  return judged("amd-smi", [second, third], parseAmd(second?.stdout ?? "", third?.stdout ?? ""));
}

function judged(tool: string, answers: (CommandState | undefined)[], shown: Shown[] | undefined) {
  const bad = answers.find((one) => one?.exit !== 0);
  if (bad === undefined && answers.length > 0 && shown !== undefined) return { tool, shown, problem: "" };
  const said = (bad?.stderr || bad?.stdout || "").trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  if (bad?.exit === 127) return { tool, problem: "is not installed" };
  if (bad !== undefined) return { tool, problem: bad.error ?? `exit ${bad.exit}: ${said}` };
  return { tool, problem: `names no GPU: ${answers[0]?.stdout.trim().slice(0, 200) ?? ""}` };
}

function onBus({ vendor }: Expected, [bus]: Answers): string[] {
  const lines = bus.stdout.split("\n").map((line) => line.split(" "));
  return lines.filter(([pci, id]) => id === VENDORS[vendor] && /^[0-9a-f:.]{12}$/.test(pci!)).map(([pci]) => pci!);
}

/** What to do about a sick card, in the order that helped; and the versions that matter for it. */
function gpuNotes(want: Expected, answers: Answers): string[] {
  if (gpuDifferences(want, answers).length === 0) return [];
  const [, version] = answers;
  const rocm = version.content === undefined ? undefined : Buffer.from(version.content, "base64").toString().trim();
  const driver = reportOf(want, answers).shown?.[0]?.driver;
  const versions = [driver ? `driver ${driver}` : "", rocm ? `ROCm ${rocm}` : ""].filter((one) => one !== "");
  const advice =
    want.vendor === "amd"
      ? [
          "in this order: reduce sample_size, not the number of GPUs; check kernel-params (the feature mask); check the clean-up between jobs; reboot it",
        ]
      : [];
  return [...(versions.length > 0 ? [versions.join(", ")] : []), ...advice];
}
