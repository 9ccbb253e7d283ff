import { parseSysfs, SYSFS_MARK, SYSFS_SCRIPT } from "./gpusysfs.js";
import { type GpuStatus, NVIDIA_FIELDS, parseAmdSmi, parseNvidiaSmi, parseRocmSmi } from "./smi.js";

/** Timeouts of a vendor's tool, and of the scripts that read the kernel's files only: a sick card can make both hang. */
export const GPU_PROBE_TIMEOUT_SECONDS = 10;
export const QUICK_GPU_PROBE_TIMEOUT_SECONDS = 3;

const TOOL_PATH = "PATH=$PATH:/opt/rocm/bin:/usr/local/bin:/usr/sbin:/sbin";
const PCI_VENDOR_IDS = { amd: "0x1002", nvidia: "0x10de" } as const;
const PCI_BUS_SCRIPT = `for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] && read -r class <"$device/class" && read -r vendor <"$device/vendor" || continue
  case $class in 0x03*) echo "\${device##*/} $vendor";; esac
done`;
/** Prints the Xid errors in the kernel log, where the user may read it. */
const XID_SCRIPT = "dmesg 2>/dev/null | grep -F 'NVRM: Xid' | tail -n 100";
const UNLESS_ROCM_SMI = "command -v rocm-smi >/dev/null || exec amd-smi";

export type GpuVendor = "amd" | "nvidia";

/** The exit code and output of a probe command; `error`: why it has no exit code. */
export interface ProbeOutput {
  exit: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}

/**
 * Returns shell scripts that check all GPUs of a node within milliseconds: the PCI bus, then the clocks in sysfs. Only AMD's driver has
 * these; undefined for other vendors. Where their output is incomplete or shows a sick GPU, `fullProbeScripts` has to confirm it.
 */
export function quickProbeScripts(vendor: GpuVendor): string[] | undefined {
  return vendor === "amd" ? [PCI_BUS_SCRIPT, SYSFS_SCRIPT] : undefined;
}

/** Returns shell scripts that check all GPUs of a node: the PCI bus, then the vendor's tools. */
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

/** The report of a vendor's tool. */
export interface GpuReport {
  tool: string;
  /** undefined: the tool gave no valid report; see `problem`. */
  gpus?: GpuStatus[];
  problem: string;
  /** The tool is not installed. */
  isMissing: boolean;
}

/** Parses the outputs of the scripts of `fullProbeScripts` or `quickProbeScripts`, without the first one (the PCI bus). */
export function parseGpuReport(vendor: GpuVendor, tools: (ProbeOutput | undefined)[]): GpuReport {
  const [first, second, third] = tools;
  if (first?.stdout.startsWith(SYSFS_MARK)) return createGpuReport("sysfs", [first], parseSysfs(first.stdout));
  if (vendor === "nvidia") return createGpuReport("nvidia-smi", [first], parseNvidiaSmi(first?.stdout ?? ""));
  const isRocm = first?.error !== undefined || first?.exit !== 0 || first.stdout.trim() !== "";
  if (isRocm) return createGpuReport("rocm-smi", [first], parseRocmSmi(first?.stdout ?? ""));
  return createGpuReport("amd-smi", [second, third], parseAmdSmi(second?.stdout ?? "", third?.stdout ?? ""));
}

function createGpuReport(tool: string, outputs: (ProbeOutput | undefined)[], gpus: GpuStatus[] | undefined): GpuReport {
  const failed = outputs.find((output) => output?.exit !== 0);
  if (failed === undefined && outputs.length > 0 && gpus !== undefined)
    return { tool, gpus, problem: "", isMissing: false };
  const message = (failed?.stderr || failed?.stdout || "").trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  if (failed?.exit === 127) return { tool, problem: "is not installed", isMissing: true };
  if (failed !== undefined)
    return { tool, problem: failed.error ?? `exit ${failed.exit}: ${message}`, isMissing: false };
  return { tool, problem: `names no GPU: ${outputs[0]?.stdout.trim().slice(0, 200) ?? ""}`, isMissing: false };
}

/** Parses the output of the first probe script into the PCI addresses of the vendor's GPUs. */
export function parsePciBus(vendor: GpuVendor, bus: ProbeOutput): string[] {
  const lines = bus.stdout.split("\n").map((line) => line.split(" "));
  return lines
    .filter(([pci, id]) => id === PCI_VENDOR_IDS[vendor] && /^[0-9a-f:.]{12}$/.test(pci!))
    .map(([pci]) => pci!);
}

/** Describes why a GPU is sick: its memory errors, or its clocks and performance level. undefined: it is healthy. */
export function describeSickness({ clocks, perf, errors }: GpuStatus): string | undefined {
  if (errors > 0) return `${errors} uncorrected memory errors (ECC)`;
  if (perf === "auto" && Object.values(clocks).every((value) => value !== null)) return undefined;
  const values = Object.entries(clocks).map(([name, value]) => `${name} ${value ?? "N/A"}`);
  return [...values, `perf ${perf ?? "unknown"}`].join(", ");
}

/** Finds the PCI addresses of GPUs that nvidia-smi reports as lost: they are on the bus but do not answer. */
export function findLostGpus(tool: ProbeOutput | undefined): string[] {
  const output = `${tool?.stdout ?? ""}\n${tool?.stderr ?? ""}`;
  const matches = output.matchAll(
    /Unable to determine the device handle for GPU\s?\d*:? ?(?:0000)?([0-9a-f:]{10}\.[0-7])/gi,
  );
  return [...matches].map(([, pci = ""]) => pci.toLowerCase());
}

/** Returns the remedies for a sick GPU; the ones that most often helped come first. */
export function adviseOnSickGpu(vendor: GpuVendor): string {
  const mask = vendor === "amd" ? " check kernel-params (the feature mask);" : "";
  return `in this order: reduce sample_size, not the number of GPUs;${mask} check the clean-up between jobs; reboot it`;
}
