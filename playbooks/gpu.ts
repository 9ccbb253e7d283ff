import { advice, LOOK_SECONDS, lookScripts, onBus, reportOf, sicknessOf, type Vendor } from "../fleet/gpus/look.js";
import type { Shown } from "../fleet/gpus/smi.js";
import type { CommandState, Difference, FileState, Playbook, Probe, Resource } from "./engine/resource.js";

/** Every GPU that the inventory expects is there, shows its clocks, and manages them itself. It can only be reported. */
const gpu: Playbook = ({ node }) => {
  const { vendor } = node.profile;
  return vendor === "none" ? [] : [gpus({ vendor, count: node.gpus, addresses: node.pci ?? [] })];
};
export default gpu;

export interface Expected {
  vendor: Vendor;
  count: number | undefined;
  addresses: string[];
}

/** What the node answered: the PCI bus, ROCm's version, then the tools of the vendor. */
export type Answers = [bus: CommandState, rocm: FileState, ...tools: CommandState[]];

function gpus(want: Expected): Resource<Answers> {
  const shell = (script: string): Probe => ({ ask: "command", argv: ["/bin/sh", "-c", script], timeout: LOOK_SECONDS });
  const [bus, ...tools] = lookScripts(want.vendor);
  const version: Probe = { ask: "file", path: "/opt/rocm/.info/version", cap: 100 };
  return {
    name: "gpus",
    probe: { ask: "all", of: [shell(bus!), version, ...tools.map(shell)] },
    diff: (answers) => gpuDifferences(want, answers),
    notes: (answers) => gpuNotes(want, answers),
  };
}

/** Pure: what is missing or sick. */
export function gpuDifferences(want: Expected, answers: Answers): Difference[] {
  const [busAnswer, , ...tools] = answers;
  const report = reportOf(want.vendor, tools);
  const bus = onBus(want.vendor, busAnswer);
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

function sickness(shown: Shown): Difference[] {
  const have = sicknessOf(shown);
  return have === undefined ? [] : [{ what: `GPU ${shown.pci}`, have, want: "clocks, and perf auto" }];
}

/** The versions that matter for a sick card, and what to do about it, in the order that helped. */
function gpuNotes(want: Expected, answers: Answers): string[] {
  if (gpuDifferences(want, answers).length === 0) return [];
  const [, version, ...tools] = answers;
  const rocm = version.content === undefined ? undefined : Buffer.from(version.content, "base64").toString().trim();
  const driver = reportOf(want.vendor, tools).shown?.[0]?.driver;
  const versions = [driver ? `driver ${driver}` : "", rocm ? `ROCm ${rocm}` : ""].filter((one) => one !== "");
  return [...(versions.length > 0 ? [versions.join(", ")] : []), advice(want.vendor)];
}
