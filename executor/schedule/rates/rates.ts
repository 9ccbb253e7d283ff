import type { MeasuredOverhead } from "./chunkoverhead.js";
import { LineFit } from "./linefit.js";
import { OverheadEstimate } from "./overhead.js";
import { PredictionError } from "./predictionerror.js";

/** The least weight of a new measurement in the moving average (gpu_optimizer.py uses the same 0.3). */
const MIN_WEIGHT = 0.3;
/** A measurement that differs by more than this factor is limited to it, until a second one confirms it. */
const OUTLIER_FACTOR = 2;
/** At least this share of a chunk's duration counts as work: if the overhead dominates, the rest is mostly noise. */
const MIN_NET_SHARE = 0.5;

/**
 * The estimated rate of a slot for one kind of work. The object lives as long as the run, however often its node leaves and
 * joins.
 */
export interface RateEstimate {
  /** Units a second, without the overhead; undefined = unknown. */
  rate?: number;
  /** The units that `rate` was learned from, older ones discounted; 0 = the rate is a guess. */
  evidence: number;
  /** The previous chunk. */
  lastChunk?: { units: number; seconds: number };
  /** All chunks of this run. */
  fit?: LineFit;
  /** Whether the last measurement was an outlier above (1) or below (-1) the estimate. */
  outlierSide: -1 | 0 | 1;
}

/** What runs of one kind of work have learned, for later runs. In seconds, units, and units a second. */
export interface LearnedRates {
  overhead?: number;
  slots: Map<string, { rate: number; evidence: number }>;
  /** For tasks, by program: the mean seconds on a slot of rate 1, and of how many tasks. */
  programs?: Map<string, { seconds: number; count: number }>;
  /** By node: the seconds from the start of a run to the node's first chunk. */
  startup?: Map<string, number>;
  /** How far durations were from predictions: the standard deviation of their logarithm. */
  deviation?: number;
  /** What chunks cost in the last run; undefined = not measured. */
  chunkOverhead?: MeasuredOverhead;
  /** How long a warm worker loads before its first chunk. */
  loading?: number;
  /** The nodes that were away when the last run ended. */
  absent?: readonly string[];
}

/** Chunks without which a mean says little. */
const MIN_MEAN_CHUNKS = 4;

/** The estimated rates of slots (units a second) and the mean duration of a chunk (seconds). */
export class Rates {
  readonly overhead = new OverheadEstimate();
  readonly predictionError = new PredictionError();
  private readonly bySlot = new Map<string, RateEstimate>();
  private meanSeconds: number | undefined;
  private loading: number | undefined;
  private chunkCount = 0;
  private chunkSeconds = 0;
  private chunkUnits = 0;

  estimateFor(slot: string): RateEstimate {
    let estimate = this.bySlot.get(slot);
    if (estimate === undefined) {
      estimate = { evidence: 0, outlierSide: 0 };
      this.bySlot.set(slot, estimate);
    }
    return estimate;
  }

  /** Learns from a chunk of `units` that took `seconds`, overhead included. */
  learn(estimate: RateEstimate, units: number, seconds: number): void {
    this.recordSeconds(seconds);
    this.chunkUnits += units;
    estimate.fit ??= new LineFit();
    estimate.fit.add(units, seconds);
    if (estimate.rate !== undefined && estimate.evidence > 0)
      this.predictionError.learn(this.overhead.seconds + units / estimate.rate, seconds);
    const { lastChunk } = estimate;
    if (lastChunk === undefined) estimate.lastChunk = { units, seconds };
    else {
      if (seconds > 0) this.overhead.learn(lastChunk, { units, seconds });
      lastChunk.units = units;
      lastChunk.seconds = seconds;
    }
    if (seconds <= 0) return;
    const net = Math.max(seconds - this.overhead.seconds, MIN_NET_SHARE * seconds);
    const weight = Math.max(MIN_WEIGHT, units / (units + estimate.evidence));
    estimate.evidence = units + (1 - MIN_WEIGHT) * estimate.evidence;
    const measured = weight > MIN_WEIGHT ? units / net : limitOutlier(estimate, units / net);
    estimate.rate = estimate.rate === undefined ? measured : weight * measured + (1 - weight) * estimate.rate;
  }

  /** Records how long a warm worker loaded. */
  recordLoading(seconds: number): void {
    this.loading = this.loading === undefined ? seconds : MIN_WEIGHT * seconds + (1 - MIN_WEIGHT) * this.loading;
  }

  /** Records the duration of a chunk on any slot. */
  recordSeconds(seconds: number): void {
    this.chunkCount++;
    this.chunkSeconds += seconds;
    this.meanSeconds =
      this.meanSeconds === undefined ? seconds : MIN_WEIGHT * seconds + (1 - MIN_WEIGHT) * this.meanSeconds;
  }

  /** The mean duration of a chunk in seconds (an exponential moving average); undefined before the first has ended. */
  get seconds(): number | undefined {
    return this.meanSeconds;
  }

  /** The mean overhead and work of the chunks so far; undefined where too little is known. */
  get chunkOverhead(): MeasuredOverhead | undefined {
    const seconds = this.fittedOverhead ?? (this.overhead.isKnown ? this.overhead.seconds : undefined);
    if (seconds === undefined || this.chunkCount < MIN_MEAN_CHUNKS) return undefined;
    const mean = this.chunkSeconds / this.chunkCount;
    const overheadSeconds = Math.min(mean, seconds);
    return { overheadSeconds, workSeconds: mean - overheadSeconds, units: this.chunkUnits / this.chunkCount };
  }

  /** The overhead by all chunks of all slots, those of various sizes counting most; undefined where their sizes do not tell. */
  private get fittedOverhead(): number | undefined {
    let [sum, weights] = [0, 0];
    for (const { fit } of this.bySlot.values()) {
      const overhead = fit?.overhead;
      if (overhead === undefined) continue;
      sum += overhead.weight * overhead.seconds;
      weights += overhead.weight;
    }
    return weights === 0 ? undefined : sum / weights;
  }

  /** The mean rate of all slots that were measured, also of those that have left; undefined = none was. */
  get meanRate(): number | undefined {
    let [sum, count] = [0, 0];
    for (const { rate, evidence } of this.bySlot.values())
      if (rate !== undefined && evidence > 0) {
        sum += rate;
        count++;
      }
    return count === 0 ? undefined : sum / count;
  }

  /** Starts from what earlier runs have learned. */
  restore({ overhead, slots, deviation }: LearnedRates): void {
    if (deviation !== undefined) this.predictionError.restore(deviation);
    if (overhead !== undefined) this.overhead.restore(overhead);
    for (const [slot, { rate, evidence }] of slots) Object.assign(this.estimateFor(slot), { rate, evidence });
  }

  /** Returns the present estimates; slots without a measurement are left out. */
  learned(): LearnedRates {
    const slots: LearnedRates["slots"] = new Map();
    for (const [slot, { rate, evidence }] of this.bySlot)
      if (rate !== undefined && evidence > 0) slots.set(slot, { rate, evidence });
    const overhead = this.overhead.isKnown ? this.overhead.seconds : undefined;
    const { chunkOverhead, loading } = this;
    return { overhead, slots, chunkOverhead, deviation: this.predictionError.learned, loading };
  }
}

/** Limits a single outlier; a second one on the same side is believed. */
function limitOutlier(estimate: RateEstimate, measured: number): number {
  const known = estimate.rate!;
  const side = measured > known * OUTLIER_FACTOR ? 1 : measured < known / OUTLIER_FACTOR ? -1 : 0;
  const confirmed = side !== 0 && side === estimate.outlierSide;
  estimate.outlierSide = side;
  if (side === 0 || confirmed) return measured;
  return side === 1 ? known * OUTLIER_FACTOR : known / OUTLIER_FACTOR;
}
