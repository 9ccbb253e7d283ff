import type { Chunk } from "../../job/job.js";
import type { RateEstimate, Rates } from "./rates.js";

/** Estimates the cost of chunks. A slot with rate `rate` needs the overhead plus cost / rate seconds. */
export interface CostModel {
  /** Returns the expected cost of a chunk before it runs; undefined = unknown. */
  estimate(chunk: Chunk): number | undefined;
  /** Returns the expected total cost of a chunk that has not ended after `spent`, in the same unit. */
  estimateAfter(chunk: Chunk, spent: number): number | undefined;
  /** By how much costs exceed their estimates in one of ten chunks: the 0.9 quantile of their ratio. */
  readonly ninthDecile: number;
  /** Returns the rate of a slot that has run nothing, from the rate of its profile. */
  guessRate(rate: number | undefined): number | undefined;
  /** Learns from a chunk that took a slot `seconds`. */
  learn(estimate: RateEstimate, chunk: Chunk, seconds: number): void;
}

/** The 0.9 quantile of the standard normal distribution. */
export const NINTH_DECILE_Z = 1.2816;

/** The cost of a chunk of a range: its units, for each of its GPUs. So the rate of a slot is that of one GPU. */
export class UnitCosts implements CostModel {
  constructor(private readonly rates: Rates) {}

  estimate({ start, end, spec }: Chunk): number {
    return Number(end - start) / (spec.gpus ?? 1);
  }

  estimateAfter(chunk: Chunk): number {
    return this.estimate(chunk);
  }

  get ninthDecile(): number {
    return Math.exp(NINTH_DECILE_Z * this.rates.predictionError.deviation);
  }

  guessRate(rate: number | undefined): number | undefined {
    return rate;
  }

  learn(estimate: RateEstimate, chunk: Chunk, seconds: number): void {
    this.rates.learn(estimate, this.estimate(chunk), seconds);
  }
}
