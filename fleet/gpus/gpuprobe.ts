import type { GpuStatus } from "./gpustatus.js";
import { parseSysfs, SYSFS_MARK, SYSFS_SCRIPT } from "./gpusysfs.js";
import { PCI_BUS_SCRIPT, RUNTIME_STATUS_SCRIPT, wakeBefore } from "./pcibus.js";
import type { GpuVendor, ProbeOutput } from "./probeoutput.js";
import { NVIDIA_FIELDS, parseAmdSmi, parseNvidiaSmi, parseRocmSmi } from "./smi.js";
import { XID_SCRIPT } from "./xids.js";

/** Timeouts of a vendor's tool, and of the scripts that read the kernel's files only: a sick card can make both hang. */
export const GPU_PROBE_TIMEOUT_SECONDS = 10;
export const QUICK_GPU_PROBE_TIMEOUT_SECONDS = 3;

const TOOL_PATH = "PATH=$PATH:/opt/rocm/bin:/usr/local/bin:/usr/local/nvidia/bin:/usr/sbin:/sbin";
const IF_ROCM_SMI = "command -v rocm-smi >/dev/null || exit 0";
const UNLESS_ROCM_SMI = "command -v rocm-smi >/dev/null && exit 0";

/**
 * Returns shell scripts that check all GPUs of a node within milliseconds: the PCI bus, then the clocks in sysfs. Only AMD's driver has
 * these; undefined for other vendors. Where their output is incomplete or shows a sick GPU, `fullProbeScripts` has to confirm it.
 */
export function quickProbeScripts(vendor: GpuVendor): string[] | undefined {
  return vendor === "amd" ? [PCI_BUS_SCRIPT, SYSFS_SCRIPT] : undefined;
}

/**
 * Returns shell scripts that check all GPUs of a node: the PCI bus, then the vendor's tools. AMD's tools report nothing about a GPU in
 * runtime suspend, so these are woken first, and the last script prints which of them sleep nevertheless.
 */
export function fullProbeScripts(vendor: GpuVendor): string[] {
  const tools =
    vendor === "nvidia"
      ? [`exec nvidia-smi --query-gpu=${NVIDIA_FIELDS.join()} --format=csv,noheader,nounits`, XID_SCRIPT]
      : [
          `${IF_ROCM_SMI}\n${wakeBefore("exec rocm-smi --showbus -c -p --showdriverversion --json")}`,
          `${UNLESS_ROCM_SMI}; exec amd-smi list --json`,
          `${UNLESS_ROCM_SMI}\n${wakeBefore("exec amd-smi metric -c -l --json")}`,
          RUNTIME_STATUS_SCRIPT,
        ];
  return [PCI_BUS_SCRIPT, ...tools].map((script) => `${TOOL_PATH}; ${script}`);
}

/** The report of a vendor's tool. */
export interface GpuReport {
  tool: string;
  /** undefined: the tool gave no valid report; see `problem`. */
  gpus?: GpuStatus[];
  problem: string;
  /** Warnings that the tool printed beside its report. */
  warnings: string[];
  /** The tool is not installed. */
  isMissing: boolean;
  /** The tool ran to its end, whatever it said. */
  hasAnswered: boolean;
}

/** Parses the outputs of the scripts of `fullProbeScripts` or `quickProbeScripts`, without the first one (the PCI bus). */
export function parseGpuReport(vendor: GpuVendor, tools: (ProbeOutput | undefined)[]): GpuReport {
  const [first, second, third] = tools;
  if (first?.stdout.startsWith(SYSFS_MARK)) return createGpuReport("sysfs", [first], parseSysfs(first.stdout));
  if (vendor === "nvidia") return createGpuReport("nvidia-smi", [first], parseNvidiaSmi(first?.stdout ?? ""));
  const isRocm = first?.error !== undefined || first?.exit !== 0 || `${first.stdout}${first.stderr}`.trim() !== "";
  if (isRocm) return createGpuReport("rocm-smi", [first], parseRocmSmi(first?.stdout ?? ""));
  return createGpuReport("amd-smi", [second, third], parseAmdSmi(second?.stdout ?? "", third?.stdout ?? ""));
}

/**
 * A report counts whatever the exit code: nvidia-smi exits with 14 for a warning about the infoROM, and rocm-smi before ROCm 5.3 with 2
 * or 15 where one GPU does not support one value. It does not count where the tool was killed, because it may be incomplete.
 */
function createGpuReport(tool: string, outputs: (ProbeOutput | undefined)[], gpus: GpuStatus[] | undefined): GpuReport {
  const wasKilled = outputs.some((output) => output === undefined || output.exit === null);
  const base = { tool, problem: "", warnings: [], isMissing: false, hasAnswered: !wasKilled };
  if (gpus !== undefined && !wasKilled) return { ...base, gpus, warnings: outputs.flatMap(findWarnings) };
  const failed = outputs.find((output) => output?.exit !== 0);
  const last = failed ?? outputs[0];
  if (last?.exit === 127) return { ...base, problem: "is not installed", isMissing: true, hasAnswered: false };
  if (failed !== undefined)
    return { ...base, problem: failed.error ?? `exit ${failed.exit}: ${lastLine(failed.stderr || failed.stdout)}` };
  return { ...base, problem: `names no GPU: ${(last?.stdout.trim() || lastLine(last?.stderr ?? "")).slice(0, 200)}` };
}

/** Only those of a tool that reports a failure: AMD's tools print warnings about every value that a GPU does not have. */
function findWarnings(output: ProbeOutput | undefined): string[] {
  if (output === undefined || output.exit === 0) return [];
  const lines = `${output.stdout}\n${output.stderr}`.split("\n");
  return lines.filter((line) => /^WARNING: /i.test(line)).map((line) => line.trim().slice(0, 200));
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
}
