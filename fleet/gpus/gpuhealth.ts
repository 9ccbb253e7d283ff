import { type DriverError, findDriverError, findLostGpus } from "./drivererrors.js";
import { type GpuReport, parseGpuReport } from "./gpuprobe.js";
import type { GpuStatus } from "./gpustatus.js";
import { type PciBus, parsePciBus, parseRuntimeStatus } from "./pcibus.js";
import type { GpuVendor, ProbeOutput } from "./probeoutput.js";
import { addReportedFields, describeSickness, isAsleep, RESUME_FAILURE, type ReportedFields } from "./sickness.js";
import { mergePartitions } from "./smi.js";
import { findFatalXids } from "./xids.js";

/** The GPUs that the inventory expects on a node. */
export interface ExpectedGpus {
  vendor: GpuVendor;
  count: number | undefined;
  /** PCI addresses; empty: any. */
  addresses: string[];
}

/** The result of one health check of a node's GPUs. Whoever reports it says `sick` and `toolError` as they are. */
export interface GpuHealth {
  vendor: GpuVendor;
  /** The tool whose report was assessed. */
  tool: string;
  /** The PCI address of every GPU seen so far, by GPU index. The partitions of a card have the card's address. */
  cards: string[];
  /** The reason why a GPU should get no work, by GPU index. */
  sick: Map<number, string>;
  /** Why the vendor's tool gave no report. This alone does not make a GPU sick. */
  toolError?: string;
  /** `TOOL: is not installed`, where the node has no tool that reports on its GPUs. */
  missingTool?: string;
  /** The node has no such tool, so further checks are useless. */
  isUnobservable: boolean;
  /** The report comes from the kernel only (see `quickProbeScripts`). */
  isQuick: boolean;
  /** The report shows every GPU, and all are healthy. */
  areAllHealthy: boolean;
  /** What is no fault but worth knowing: warnings of the tool, GPUs that sleep. */
  notes: string[];
  /** The version of the driver, as the tool reports it. */
  driver: string | null;
  /** Pass it to the next check. */
  reported: ReportedFields;
}

/**
 * Assesses the outputs of `fullProbeScripts` or `quickProbeScripts`. `known`: the `cards` of the previous check; a GPU keeps its index
 * when another one is lost. `reported`: that of the previous check. Pure.
 */
export function assessGpus(
  want: ExpectedGpus,
  known: string[],
  outputs: ProbeOutput[],
  reported: ReportedFields = new Map(),
): GpuHealth {
  const [busOutput, ...tools] = outputs;
  if (busOutput === undefined) return createUnansweredHealth(want.vendor, known, reported);
  const bus = parsePciBus(want.vendor, busOutput, want.addresses);
  const report = placeGpus(parseGpuReport(want.vendor, tools), bus);
  const isNvidia = want.vendor === "nvidia";
  const driverError = isNvidia && report.gpus === undefined ? findDriverError(tools[0]) : undefined;
  const statuses = parseRuntimeStatus(isNvidia ? undefined : tools[3]);
  const seen = listSeenGpus(bus, report.gpus ?? []);
  const cards = want.addresses.length > 0 ? want.addresses : seen.length > known.length ? seen : known;
  const nvidia = isNvidia ? tools : [];
  const reasons = findReasons(cards, { bus, report, driverError, nvidia, statuses, reported });
  const areAllSeen = report.gpus !== undefined || driverError !== undefined || isBusConfirmed(bus, report);
  const sick = listSickGpus(want, cards, reasons, areAllSeen, driverError);
  const problem = `${report.tool}: ${report.problem}`;
  return {
    vendor: want.vendor,
    tool: report.tool,
    cards,
    sick,
    toolError: report.gpus === undefined && !report.isMissing ? problem : undefined,
    missingTool: report.isMissing ? problem : undefined,
    isUnobservable: report.isMissing,
    isQuick: report.tool === "sysfs",
    areAllHealthy: report.gpus !== undefined && sick.size === 0,
    notes: [
      ...report.warnings.map((warning) => `${report.tool}: ${warning}`),
      ...listSleepers(cards, reasons, statuses),
    ],
    driver: report.gpus?.[0]?.driver ?? null,
    reported: addReportedFields(reported, report.tool, report.gpus ?? []),
  };
}

function createUnansweredHealth(vendor: GpuVendor, cards: string[], reported: ReportedFields): GpuHealth {
  const flags = { isUnobservable: false, isQuick: false, areAllHealthy: false };
  return {
    vendor,
    tool: "",
    cards,
    sick: new Map(),
    toolError: "no answer",
    ...flags,
    notes: [],
    driver: null,
    reported,
  };
}

/**
 * Leaves out the graphics of processors. The partitions of a card may be reported as functions of its device that are not on the bus; they
 * get the address of the card.
 */
function placeGpus(report: GpuReport, { gpus: onBus, integrated }: PciBus): GpuReport {
  if (report.gpus === undefined) return report;
  const gpus = report.gpus
    .filter(({ pci }) => !integrated.includes(pci))
    .map((gpu): GpuStatus => {
      const card = gpu.pci.replace(/\.[1-7]$/, ".0");
      return onBus.includes(card) && !onBus.includes(gpu.pci) ? { ...gpu, pci: card } : gpu;
    });
  return { ...report, gpus: mergePartitions(gpus) };
}

/** Lists the GPUs in the order of their addresses; a card once for each of its partitions. */
function listSeenGpus(bus: PciBus, gpus: GpuStatus[]): string[] {
  const reported = gpus.map(({ pci }) => pci);
  return [...reported, ...bus.gpus.filter((pci) => !reported.includes(pci))].sort();
}

/** What a check has found out about a node's GPUs. */
interface Evidence {
  bus: PciBus;
  report: GpuReport;
  /** Why no program can use any GPU. */
  driverError: DriverError | undefined;
  /** What the tool has printed, and the kernel log; NVIDIA only. */
  nvidia: (ProbeOutput | undefined)[];
  /** The power of each GPU, by PCI address; AMD only. */
  statuses: Map<string, string>;
  reported: ReportedFields;
}

/** Returns why GPUs are sick, by PCI address. What the tool says of a GPU counts more than the kernel log, and that more than absence. */
function findReasons(cards: string[], evidence: Evidence): Map<string, string> {
  const { bus, report, driverError, nvidia, statuses, reported } = evidence;
  const reasons = new Map<string, string>();
  const add = (pci: string, reason: string | undefined) => reason !== undefined && reasons.set(pci, reason);
  for (const pci of cards) add(pci, describeAbsence(pci, bus, report) ?? driverError?.reason);
  if (report.gpus === undefined)
    for (const [pci, status] of statuses) add(pci, status === "error" ? RESUME_FAILURE : undefined);
  for (const pci of findLostGpus(nvidia[0])) add(pci, LOST_BY_DRIVER);
  for (const [pci, code] of findFatalXids(nvidia[1])) add(pci, `the driver reported Xid ${code}`);
  for (const gpu of report.gpus ?? [])
    add(gpu.pci, describeSickness(gpu, report.tool, reported, statuses.get(gpu.pci)));
  return reasons;
}

const NOT_ON_BUS = "not on the PCI bus any more";
const LOST_BY_DRIVER = "the driver has lost it";
const NOT_THERE = "is not there";

/** Whether a GPU is sick because it is missing, by the reason that a check gave. Xid 79: it has fallen off the bus. */
export function isAbsence(reason: string): boolean {
  return [NOT_ON_BUS, LOST_BY_DRIVER, NOT_THERE].some((words) => reason.includes(words)) || /\bXid 79\b/.test(reason);
}

function describeAbsence(pci: string, bus: PciBus, report: GpuReport): string | undefined {
  const isOnBus = bus.gpus.includes(pci);
  if (report.gpus?.some((gpu) => gpu.pci === pci)) return undefined;
  if (report.gpus === undefined && (isOnBus || !(bus.gpus.length > 0 || isBusConfirmed(bus, report)))) return undefined;
  return isOnBus ? `on the PCI bus, but ${report.tool} does not show it` : NOT_ON_BUS;
}

/** A bus without any GPU is no evidence by itself, because a container may not show it; it is where the tool finds none either. */
function isBusConfirmed({ gpus }: PciBus, report: GpuReport): boolean {
  return gpus.length === 0 && report.gpus === undefined && report.hasAnswered;
}

/** Returns a sentence for each sick GPU, by index. `areAllSeen`: what was not found is not there. */
function listSickGpus(
  { count }: ExpectedGpus,
  cards: string[],
  reasons: Map<string, string>,
  areAllSeen: boolean,
  driverError: DriverError | undefined,
): Map<number, string> {
  const sick = new Map<number, string>();
  for (const [index, pci] of cards.entries()) if (reasons.has(pci)) sick.set(index, `GPU ${pci}: ${reasons.get(pci)}`);
  if (!areAllSeen) return sick;
  const why = driverError?.reason ?? `${cards.length} of ${count} were found`;
  for (let index = cards.length; index < (count ?? 0); index++) sick.set(index, `GPU ${index} ${NOT_THERE}: ${why}`);
  return sick;
}

function listSleepers(cards: string[], reasons: Map<string, string>, statuses: Map<string, string>): string[] {
  return [...new Set(cards)]
    .filter((pci) => isAsleep(statuses.get(pci)) && !reasons.has(pci))
    .map((pci) => `GPU ${pci} sleeps (power/runtime_status: ${statuses.get(pci)}) and wakes when a program uses it`);
}
