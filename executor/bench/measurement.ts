import { isJsonObject } from "../../schemas/isjsonobject.js";
import type { SampledFigure } from "../run/agent/protocol.js";
import type { ResultLine } from "../run/record/resultlines.js";

/** What one card did in one chunk. */
export interface Measurement {
  slot: number;
  pci?: string;
  /** Units a second; of the built-in load, million steps a second. */
  rate: number;
  /** How long its program ran. */
  seconds: number;
  watts?: SampledFigure;
  wattHours?: number;
  celsius?: SampledFigure;
  /** What it computed, the same on all cards that compute rightly. */
  digest?: string;
  /** Batches of the built-in load, and those whose result was not that of the card's first launch. */
  batches?: number;
  wrongBatches?: number;
  /** What computed: undefined where only the user's job knows. */
  device?: string;
  /** Why it was the processor that computed, and not the card. */
  notTheCard?: string;
}

const MAX_TEXT_CHARS = 300;

/** Reads a line of results.ndjson; `units`: the work of a chunk. Undefined for one without what it should have: a node may send anything. */
export function readMeasurement(
  line: ResultLine & { output: unknown },
  units: number | undefined,
): Measurement | undefined {
  const [usage] = line.usage ?? [];
  const [card] = line.cards ?? [];
  const common = {
    slot: line.slot,
    ...(card === undefined ? {} : { pci: card.pci }),
    seconds: line.seconds,
    ...(usage?.watts === undefined ? {} : { watts: usage.watts }),
    ...(usage?.wattHours === undefined ? {} : { wattHours: usage.wattHours }),
    ...(usage?.celsius === undefined ? {} : { celsius: usage.celsius }),
  };
  if (units !== undefined) return { ...common, rate: units / Math.max(line.seconds, 1e-3), digest: line.sha256 };
  const { output } = line;
  if (!isJsonObject(output) || !isPositive(output.rate)) return undefined;
  const { rate, device, reason, digest, batches, wrong } = output;
  return {
    ...common,
    rate,
    ...(typeof device === "string" ? { device: device.slice(0, MAX_TEXT_CHARS) } : {}),
    ...(output.measures === "card" ? {} : { notTheCard: String(reason).slice(0, MAX_TEXT_CHARS) }),
    ...(typeof digest === "string" ? { digest: digest.slice(0, 64) } : {}),
    ...(isPositive(batches) && typeof wrong === "number" && wrong >= 0 ? { batches, wrongBatches: wrong } : {}),
  };
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

/** Returns the middle of values: the mean of the two in the middle where their number is even. */
export function findMedian(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
}
