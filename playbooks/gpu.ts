import {
  adviseOnSickGpu,
  describeSickness,
  fullProbeScripts,
  GPU_PROBE_TIMEOUT_SECONDS,
  type GpuVendor,
  parseGpuReport,
  parsePciBus,
} from "../fleet/gpus/gpuprobe.js";
import type { GpuStatus } from "../fleet/gpus/smi.js";
import type { CommandState, Difference, FileState, Playbook, Probe, Resource } from "./engine/resource.js";

/** Checks that every GPU of the inventory is present, reports its clocks, and has performance level `auto`. Drift is only reported. */
const gpu: Playbook = ({ node }) => {
  const { vendor } = node.profile;
  return vendor === "none" ? [] : [gpusResource({ vendor, count: node.gpus, addresses: node.pci ?? [] })];
};
export default gpu;

export interface Expected {
  vendor: GpuVendor;
  count: number | undefined;
  addresses: string[];
}

/** The node's answers: the PCI bus, the version of ROCm, then the vendor's tools. */
export type GpuAnswers = [bus: CommandState, rocm: FileState, ...tools: CommandState[]];

function gpusResource(want: Expected): Resource<GpuAnswers> {
  const shell = (script: string): Probe => ({
    ask: "command",
    argv: ["/bin/sh", "-c", script],
    timeout: GPU_PROBE_TIMEOUT_SECONDS,
  });
  const [bus, ...tools] = fullProbeScripts(want.vendor);
  const version: Probe = { ask: "file", path: "/opt/rocm/.info/version", cap: 100 };
  return {
    name: "gpus",
    probe: { ask: "all", of: [shell(bus!), version, ...tools.map(shell)] },
    diff: (answers) => diffGpus(want, answers),
    notes: (answers) => noteGpus(want, answers),
  };
}

/** Pure: lists the missing and the sick GPUs. */
export function diffGpus(want: Expected, answers: GpuAnswers): Difference[] {
  const [busAnswer, , ...tools] = answers;
  const report = parseGpuReport(want.vendor, tools);
  const bus = parsePciBus(want.vendor, busAnswer);
  const seen = new Set([...bus, ...(report.gpus ?? []).map(({ pci }) => pci)]);
  return [
    ...(report.gpus === undefined ? [{ what: report.tool, have: report.problem, want: "a report" }] : []),
    ...want.addresses
      .filter((pci) => !seen.has(pci))
      .map((pci) => ({ what: `GPU ${pci}`, have: "not on the PCI bus", want: "present" })),
    ...diffCount(want, [...seen].sort()),
    ...bus
      .filter((pci) => report.gpus !== undefined && !report.gpus.some((one) => one.pci === pci))
      .filter((pci) => isWanted(want, pci))
      .map((pci) => ({
        what: `GPU ${pci}`,
        have: `on the PCI bus, but ${report.tool} does not show it`,
        want: "shown",
      })),
    ...(report.gpus ?? []).filter(({ pci }) => isWanted(want, pci)).flatMap(diffHealth),
  ];
}

/** If the inventory lists addresses, other GPUs (such as the one in a processor) are ignored. */
function isWanted(want: Expected, pci: string): boolean {
  return want.addresses.length === 0 || want.addresses.includes(pci);
}

function diffCount({ count, addresses }: Expected, seen: string[]): Difference[] {
  if (count === undefined || addresses.length > 0 || seen.length >= count) return [];
  return [{ what: "GPUs", have: `${seen.length} (${seen.join(", ") || "none"})`, want: String(count) }];
}

function diffHealth(shown: GpuStatus): Difference[] {
  const have = describeSickness(shown);
  return have === undefined ? [] : [{ what: `GPU ${shown.pci}`, have, want: "clocks, and perf auto" }];
}

/** Notes the versions that matter for a sick GPU, and the remedies; none if all GPUs are healthy. */
function noteGpus(want: Expected, answers: GpuAnswers): string[] {
  if (diffGpus(want, answers).length === 0) return [];
  const [, version, ...tools] = answers;
  const rocm = version.content === undefined ? undefined : Buffer.from(version.content, "base64").toString().trim();
  const driver = parseGpuReport(want.vendor, tools).gpus?.[0]?.driver;
  const versions = [driver ? `driver ${driver}` : "", rocm ? `ROCm ${rocm}` : ""].filter((one) => one !== "");
  return [...(versions.length > 0 ? [versions.join(", ")] : []), adviseOnSickGpu(want.vendor)];
}
