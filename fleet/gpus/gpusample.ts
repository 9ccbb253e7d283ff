import { isJsonObject } from "../../schemas/isjsonobject.js";
import { CARD_FIGURES, THROTTLE_REASONS } from "./cardfigures.js";
import type { GpuVendor } from "./probeoutput.js";

/** What a GPU does. A figure is absent where its driver or tool has none. */
export interface GpuSample {
  pci: string;
  vendor?: GpuVendor;
  /** How many seconds old these figures are. */
  age: number;
  /** It is switched off until a program uses it; there are no figures then. */
  isAsleep: boolean;
  /** Percent of the time in which it computed. */
  busy?: number;
  /** Bytes of its memory. */
  used?: number;
  total?: number;
  watts?: number;
  /** At its edge, at its hottest place, and of its memory. */
  celsius?: number;
  junctionCelsius?: number;
  memoryCelsius?: number;
  mhz?: number;
  memoryMhz?: number;
  /** Percent of its fan's full speed. */
  fan?: number;
  /** Why its clocks are held down: heat, power, current, hardware. */
  throttled?: string[];
}

/** What a node does, as templates/muster_agent/gpu/samples.py sends it. */
export interface NodeSample {
  /** Processes that run or wait for a processor, averaged over a minute. */
  load: number;
  /** Bytes of main memory; undefined = unknown. */
  memory?: { total: number; available: number };
  /** In the order of their PCI addresses. */
  gpus: GpuSample[];
  /** What a vendor's tool prints instead of figures. */
  problem?: string;
}

const MAX_GPUS = 64;
const MAX_PROBLEM_CHARS = 300;
const FIGURES = [...CARD_FIGURES, "total"] as const;

/** Returns the sample on a line; undefined where it is none. A node may send anything. */
export function parseSample(line: string): NodeSample | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || value.ev !== "sample" || !isFigure(value.load) || !Array.isArray(value.gpus))
    return undefined;
  const { load, memory, problem } = value;
  const gpus = value.gpus.slice(0, MAX_GPUS).flatMap(parseGpu);
  return {
    load,
    ...(isMemory(memory) ? { memory: { total: memory.total, available: memory.available } } : {}),
    gpus: sortByAddress(gpus),
    ...(typeof problem === "string" ? { problem: problem.slice(0, MAX_PROBLEM_CHARS) } : {}),
  };
}

/** Returns a sample in which GPUs that are gone since the previous one, `seconds` ago, keep their last figures, whose age grows. */
export function keepLostGpus(sample: NodeSample, previous: NodeSample, seconds: number): NodeSample {
  const present = new Set(sample.gpus.map(({ pci }) => pci));
  const lost = previous.gpus.filter(({ pci }) => !present.has(pci));
  const gpus = [...sample.gpus, ...lost.map((one) => ({ ...one, age: one.age + seconds }))];
  return { ...sample, gpus: sortByAddress(gpus).slice(0, MAX_GPUS) };
}

function sortByAddress(gpus: GpuSample[]): GpuSample[] {
  return gpus.sort((a, b) => (a.pci < b.pci ? -1 : 1));
}

function parseGpu(value: unknown): GpuSample[] {
  if (!isJsonObject(value) || typeof value.pci !== "string" || !isFigure(value.age)) return [];
  if (!/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(value.pci)) return [];
  const vendor = value.vendor === "amd" || value.vendor === "nvidia" ? { vendor: value.vendor as GpuVendor } : {};
  const figures = FIGURES.flatMap((name) => (isFigure(value[name]) ? [[name, value[name]]] : []));
  const { throttled } = value;
  const reasons = Array.isArray(throttled)
    ? { throttled: THROTTLE_REASONS.filter((one) => throttled.includes(one)) }
    : {};
  return [
    {
      pci: value.pci,
      ...vendor,
      age: value.age,
      isAsleep: value.asleep === true,
      ...Object.fromEntries(figures),
      ...reasons,
    },
  ];
}

function isMemory(value: unknown): value is { total: number; available: number } {
  return isJsonObject(value) && isFigure(value.total) && isFigure(value.available);
}

function isFigure(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
