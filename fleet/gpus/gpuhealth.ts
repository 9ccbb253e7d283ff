import {
  describeSickness,
  findLostGpus,
  type GpuReport,
  type GpuVendor,
  type ProbeOutput,
  parseGpuReport,
  parsePciBus,
} from "./gpuprobe.js";

/** What is expected of a node's GPUs. */
export interface ExpectedGpus {
  vendor: GpuVendor;
  count: number | undefined;
  /** PCI addresses; empty = any. */
  addresses: string[];
}

/** What a look came to. */
export interface GpuHealth {
  /** Addresses by GPU index, as far as they have ever been seen. */
  cards: string[];
  /** Why a GPU should get no work, by its index. */
  sick: Map<number, string>;
  /** Why the tool says nothing; what it cannot say holds nobody up. */
  toolError?: string;
  /** There is nothing to ask on this node. */
  isUnobservable: boolean;
  /** By what the kernel tells alone. */
  isQuick: boolean;
  /** Every card was shown, and is well. */
  areAllHealthy: boolean;
}

/** Xids of NVIDIA's driver that are the card's fault: memory, NVLink, fallen off the bus, GSP; not those of programs. */
const FATAL_XIDS = [48, 62, 64, 74, 79, 95, 119, 120, 140];

/**
 * Judges the answers to `lookScripts` or `glanceScripts`. `known`: the cards of the look before, by index; a card keeps its index when another is
 * lost. Pure.
 */
export function assessGpus(want: ExpectedGpus, known: string[], answers: ProbeOutput[]): GpuHealth {
  const [bus, ...tools] = answers;
  if (bus === undefined)
    return {
      cards: known,
      sick: new Map(),
      isUnobservable: false,
      isQuick: false,
      areAllHealthy: false,
      toolError: "no answer",
    };
  const report = parseGpuReport(want.vendor, tools);
  const there = new Set(parsePciBus(want.vendor, bus));
  const seen = [...new Set([...there, ...(report.gpus ?? []).map(({ pci }) => pci)])].sort();
  const cards = want.addresses.length > 0 ? want.addresses : seen.length > known.length ? seen : known;
  const reasons = new Map(findLostGpus(tools[0]).map((pci) => [pci, "the driver has lost it"]));
  for (const [pci, code] of findFatalXids(tools[1])) reasons.set(pci, `the driver reported Xid ${code}`);
  for (const shown of report.gpus ?? []) {
    const sickness = describeSickness(shown);
    if (sickness !== undefined) reasons.set(shown.pci, sickness);
  }
  for (const pci of cards) {
    const lack = describeAbsence(pci, there, report);
    if (lack !== undefined && !reasons.has(pci)) reasons.set(pci, lack);
  }
  const sick = new Map(
    cards.flatMap((pci, index) => (reasons.has(pci) ? [[index, `GPU ${pci}: ${reasons.get(pci)}`] as const] : [])),
  );
  for (let index = cards.length; report.gpus !== undefined && index < (want.count ?? 0); index++)
    sick.set(index, `GPU ${index} is not there: ${cards.length} of ${want.count} were found`);
  const trouble = report.gpus === undefined && !report.isMissing ? `${report.tool}: ${report.problem}` : undefined;
  const allWell = report.gpus !== undefined && sick.size === 0;
  return {
    cards,
    sick,
    toolError: trouble,
    isUnobservable: report.isMissing,
    isQuick: report.tool === "sysfs",
    areAllHealthy: allWell,
  };
}

function describeAbsence(pci: string, there: Set<string>, { gpus: shown, tool }: GpuReport): string | undefined {
  const isShown = shown?.some((one) => one.pci === pci);
  if (isShown || (there.has(pci) && shown === undefined)) return undefined;
  return there.has(pci) ? `on the PCI bus, but ${tool} does not show it` : "not on the PCI bus any more";
}

function findFatalXids(log: ProbeOutput | undefined): [pci: string, code: number][] {
  const found = (log?.stdout ?? "").matchAll(/NVRM: Xid \(PCI:([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2})[^)]*\): (\d+)/gi);
  return [...found].flatMap(([, pci = "", code]): [string, number][] =>
    FATAL_XIDS.includes(Number(code)) ? [[`${pci.toLowerCase()}.0`, Number(code)]] : [],
  );
}
