import {
  describeSickness,
  findLostGpus,
  type GpuReport,
  type GpuVendor,
  type ProbeOutput,
  parseGpuReport,
  parsePciBus,
} from "./gpuprobe.js";

/** The GPUs that the inventory expects on a node. */
export interface ExpectedGpus {
  vendor: GpuVendor;
  count: number | undefined;
  /** PCI addresses; empty: any. */
  addresses: string[];
}

/** The result of one health check of a node's GPUs. */
export interface GpuHealth {
  /** The PCI address of every GPU seen so far, by GPU index. */
  cards: string[];
  /** The reason why a GPU should get no work, by GPU index. */
  sick: Map<number, string>;
  /** Why the vendor's tool gave no report. This does not make a GPU sick. */
  toolError?: string;
  /** The node has no tool that reports on its GPUs. */
  isUnobservable: boolean;
  /** The report comes from the kernel only (see `quickProbeScripts`). */
  isQuick: boolean;
  /** The report shows every GPU, and all are healthy. */
  areAllHealthy: boolean;
}

/** Xid errors of NVIDIA's driver that mean a hardware fault: memory, NVLink, fallen off the bus, GSP. Others are caused by programs. */
const FATAL_XIDS = [48, 62, 64, 74, 79, 95, 119, 120, 140];

/**
 * Assesses the outputs of `fullProbeScripts` or `quickProbeScripts`. `known`: the `cards` of the previous check; a GPU keeps its index
 * when another one is lost. Pure.
 */
export function assessGpus(want: ExpectedGpus, known: string[], outputs: ProbeOutput[]): GpuHealth {
  const [bus, ...tools] = outputs;
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
  const onBus = new Set(parsePciBus(want.vendor, bus));
  const seen = [...new Set([...onBus, ...(report.gpus ?? []).map(({ pci }) => pci)])].sort();
  const cards = want.addresses.length > 0 ? want.addresses : seen.length > known.length ? seen : known;
  const reasons = new Map(findLostGpus(tools[0]).map((pci) => [pci, "the driver has lost it"]));
  for (const [pci, code] of findFatalXids(tools[1])) reasons.set(pci, `the driver reported Xid ${code}`);
  for (const gpu of report.gpus ?? []) {
    const sickness = describeSickness(gpu);
    if (sickness !== undefined) reasons.set(gpu.pci, sickness);
  }
  for (const pci of cards) {
    const absence = describeAbsence(pci, onBus, report);
    if (absence !== undefined && !reasons.has(pci)) reasons.set(pci, absence);
  }
  const sick = new Map(
    cards.flatMap((pci, index) => (reasons.has(pci) ? [[index, `GPU ${pci}: ${reasons.get(pci)}`] as const] : [])),
  );
  for (let index = cards.length; report.gpus !== undefined && index < (want.count ?? 0); index++)
    sick.set(index, `GPU ${index} is not there: ${cards.length} of ${want.count} were found`);
  return {
    cards,
    sick,
    toolError: report.gpus === undefined && !report.isMissing ? `${report.tool}: ${report.problem}` : undefined,
    isUnobservable: report.isMissing,
    isQuick: report.tool === "sysfs",
    areAllHealthy: report.gpus !== undefined && sick.size === 0,
  };
}

function describeAbsence(pci: string, onBus: Set<string>, { gpus, tool }: GpuReport): string | undefined {
  const isReported = gpus?.some((gpu) => gpu.pci === pci);
  if (isReported || (onBus.has(pci) && gpus === undefined)) return undefined;
  return onBus.has(pci) ? `on the PCI bus, but ${tool} does not show it` : "not on the PCI bus any more";
}

function findFatalXids(log: ProbeOutput | undefined): [pci: string, code: number][] {
  const matches = (log?.stdout ?? "").matchAll(/NVRM: Xid \(PCI:([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2})[^)]*\): (\d+)/gi);
  return [...matches].flatMap(([, pci = "", code]): [string, number][] =>
    FATAL_XIDS.includes(Number(code)) ? [[`${pci.toLowerCase()}.0`, Number(code)]] : [],
  );
}
