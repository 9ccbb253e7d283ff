import { parseSysfs, SYSFS_MARK, SYSFS_SCRIPT } from "./gpusysfs.js";
import { type GpuStatus, NVIDIA_FIELDS, parseAmdSmi, parseNvidiaSmi, parseRocmSmi } from "./smi.js";

/** Seconds that a tool has, and that the kernel has for what needs no tool: a sick card makes both hang. */
export const GPU_PROBE_TIMEOUT_SECONDS = 10;
export const QUICK_GPU_PROBE_TIMEOUT_SECONDS = 3;

const TOOL_PATH = "PATH=$PATH:/opt/rocm/bin:/usr/local/bin:/usr/sbin:/sbin";
const PCI_VENDOR_IDS = { amd: "0x1002", nvidia: "0x10de" } as const;
const PCI_BUS_SCRIPT = `for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] && read -r class <"$device/class" && read -r vendor <"$device/vendor" || continue
  case $class in 0x03*) echo "\${device##*/} $vendor";; esac
done`;
/** What the kernel lets us read of the driver's complaints. */
const XID_SCRIPT = "dmesg 2>/dev/null | grep -F 'NVRM: Xid' | tail -n 100";
const UNLESS_ROCM_SMI = "command -v rocm-smi >/dev/null || exec amd-smi";

export type GpuVendor = "amd" | "nvidia";

/** What a command answered; `error`: why it has no exit code. */
export interface ProbeOutput {
  exit: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}

/**
 * Shell scripts that look at all GPUs of a node in a moment: its PCI bus, then what the kernel tells of their clocks. Only AMD's
 * does (else undefined); what it does not tell, or what is not well by it, is for `lookScripts` to find out.
 */
export function quickProbeScripts(vendor: GpuVendor): string[] | undefined {
  return vendor === "amd" ? [PCI_BUS_SCRIPT, SYSFS_SCRIPT] : undefined;
}

/** Shell scripts that look at all GPUs of a node: its PCI bus first, then the tools of the vendor. */
export function fullProbeScripts(vendor: GpuVendor): string[] {
  const tools =
    vendor === "nvidia"
      ? [`exec nvidia-smi --query-gpu=${NVIDIA_FIELDS.join()} --format=csv,noheader,nounits`, XID_SCRIPT]
      : [
          "command -v rocm-smi >/dev/null || exit 0; exec rocm-smi --showbus -c -p --showdriverversion --json",
          `${UNLESS_ROCM_SMI} list --json`,
          `${UNLESS_ROCM_SMI} metric -c -l --json`,
        ];
  return [PCI_BUS_SCRIPT, ...tools].map((script) => `${TOOL_PATH}; ${script}`);
}

/** What the vendor's tool reports, or what is the matter with it; `missing`: there is no such tool. */
export interface GpuReport {
  tool: string;
  gpus?: GpuStatus[];
  problem: string;
  isMissing: boolean;
}

/** The report in the answers to `lookScripts`, without the first. */
export function parseGpuReport(vendor: GpuVendor, tools: (ProbeOutput | undefined)[]): GpuReport {
  const [first, second, third] = tools;
  if (first?.stdout.startsWith(SYSFS_MARK)) return createGpuReport("sysfs", [first], parseSysfs(first.stdout));
  if (vendor === "nvidia") return createGpuReport("nvidia-smi", [first], parseNvidiaSmi(first?.stdout ?? ""));
  const isRocm = first?.error !== undefined || first?.exit !== 0 || first.stdout.trim() !== "";
  if (isRocm) return createGpuReport("rocm-smi", [first], parseRocmSmi(first?.stdout ?? ""));
  return createGpuReport("amd-smi", [second, third], parseAmdSmi(second?.stdout ?? "", third?.stdout ?? ""));
}

function createGpuReport(
  tool: string,
  answers: (ProbeOutput | undefined)[],
  shown: GpuStatus[] | undefined,
): GpuReport {
  const bad = answers.find((one) => one?.exit !== 0);
  if (bad === undefined && answers.length > 0 && shown !== undefined)
    return { tool, gpus: shown, problem: "", isMissing: false };
  const said = (bad?.stderr || bad?.stdout || "").trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  if (bad?.exit === 127) return { tool, problem: "is not installed", isMissing: true };
  if (bad !== undefined) return { tool, problem: bad.error ?? `exit ${bad.exit}: ${said}`, isMissing: false };
  return { tool, problem: `names no GPU: ${answers[0]?.stdout.trim().slice(0, 200) ?? ""}`, isMissing: false };
}

/** PCI addresses of the vendor's GPUs in the answer to the first of `lookScripts`. */
export function parsePciBus(vendor: GpuVendor, bus: ProbeOutput): string[] {
  const lines = bus.stdout.split("\n").map((line) => line.split(" "));
  return lines
    .filter(([pci, id]) => id === PCI_VENDOR_IDS[vendor] && /^[0-9a-f:.]{12}$/.test(pci!))
    .map(([pci]) => pci!);
}

/** Clocks and perf of a card that is not well, as shown; undefined: it is. */
export function describeSickness({ clocks, perf, errors }: GpuStatus): string | undefined {
  if (errors > 0) return `${errors} uncorrected memory errors (ECC)`;
  if (perf === "auto" && Object.values(clocks).every((value) => value !== null)) return undefined;
  const values = Object.entries(clocks).map(([name, value]) => `${name} ${value ?? "N/A"}`);
  return [...values, `perf ${perf ?? "unknown"}`].join(", ");
}

/** Cards that NVIDIA's tool has lost, by its complaints: they are on the bus and do not answer. */
export function findLostGpus(tool: ProbeOutput | undefined): string[] {
  const said = `${tool?.stdout ?? ""}\n${tool?.stderr ?? ""}`;
  const found = said.matchAll(
    /Unable to determine the device handle for GPU\s?\d*:? ?(?:0000)?([0-9a-f:]{10}\.[0-7])/gi,
  );
  return [...found].map(([, pci = ""]) => pci.toLowerCase());
}

/** What to do about a sick card, in the order that helped. */
export function adviseOnSickGpu(vendor: GpuVendor): string {
  const mask = vendor === "amd" ? " check kernel-params (the feature mask);" : "";
  return `in this order: reduce sample_size, not the number of GPUs;${mask} check the clean-up between jobs; reboot it`;
}
