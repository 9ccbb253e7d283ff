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
  /** Whether the last measurement was an outlier above (1) or below (-1) the estimate. */
  outlierSide: -1 | 0 | 1;
}

/** What runs of one kind of work have learned, for later runs. In seconds, units, and units a second. */
export interface LearnedRates {
  overhead?: number;
  slots: Map<string, { rate: number; evidence: number }>;
  /** For tasks, by program: the mean seconds on a slot of rate 1, and of how many tasks. */
  programs?: Map<string, { seconds: number; count: number }>;
}

/** The estimated rates of slots (units a second) and the mean duration of a chunk (seconds). */
export class Rates {
  readonly overhead = new OverheadEstimate();
  readonly predictionError = new PredictionError();
  private readonly bySlot = new Map<string, RateEstimate>();
  private meanSeconds: number | undefined;

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

  /** Records the duration of a chunk on any slot. */
  recordSeconds(seconds: number): void {
    this.meanSeconds =
      this.meanSeconds === undefined ? seconds : MIN_WEIGHT * seconds + (1 - MIN_WEIGHT) * this.meanSeconds;
  }

  /** The mean duration of a chunk in seconds (an exponential moving average); undefined before the first has ended. */
  get seconds(): number | undefined {
    return this.meanSeconds;
  }

  /** Starts from what earlier runs have learned. */
  restore({ overhead, slots }: LearnedRates): void {
    if (overhead !== undefined) this.overhead.restore(overhead);
    for (const [slot, { rate, evidence }] of slots) Object.assign(this.estimateFor(slot), { rate, evidence });
  }

  /** Returns the present estimates; slots without a measurement are left out. */
  learned(): LearnedRates {
    const slots: LearnedRates["slots"] = new Map();
    for (const [slot, { rate, evidence }] of this.bySlot)
      if (rate !== undefined && evidence > 0) slots.set(slot, { rate, evidence });
    return { overhead: this.overhead.isKnown ? this.overhead.seconds : undefined, slots };
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
