import { NINTH_DECILE_Z } from "./costmodel.js";

/** The variance of the logarithm before any observation, with the weight of one observation. */
const PRIOR_VARIANCE = 0.5;
/** From this many standard deviations on, the tail is computed from its asymptote. */
const ASYMPTOTIC_Z = 2.5;

/**
 * Models the ratio of actual to expected cost as log-normal, as task durations nearly always are, and estimates it with
 * Welford's algorithm.
 */
export class ResidualTime {
  private count = 0;
  private mean = 0;
  private squaredDeviations = PRIOR_VARIANCE;
  private largest = 1;

  add(ratio: number): void {
    const log = Math.log(ratio);
    const off = log - this.mean;
    this.count++;
    this.mean += off / this.count;
    this.squaredDeviations += off * (log - this.mean);
    this.largest = Math.max(this.largest, ratio);
  }

  /** Returns the ratio that nine of ten chunks stay below. */
  get ninthDecile(): number {
    return Math.exp(this.mean + NINTH_DECILE_Z * Math.sqrt(this.squaredDeviations / (this.count + 1)));
  }

  /**
   * Returns the expected ratio of a chunk whose ratio already exceeds `ratio`. Beyond the largest ratio seen, the chunk is
   * expected to exceed it by at least as much again.
   */
  expectBeyond(ratio: number): number {
    const deviation = Math.sqrt(this.squaredDeviations / (this.count + 1));
    const z = (Math.log(Math.max(ratio, Number.MIN_VALUE)) - this.mean) / deviation;
    const whole = Math.exp(this.mean + deviation ** 2 / 2);
    const expected =
      z < ASYMPTOTIC_Z
        ? (whole * normalTail(z - deviation)) / normalTail(z)
        : (ratio * millsRatio(z - deviation)) / millsRatio(z);
    return Math.max(expected, 2 * ratio - this.largest);
  }
}

/** Returns the upper tail of the standard normal distribution (Page's approximation, error below 0.0002). */
function normalTail(z: number): number {
  return 1 / (1 + Math.exp(1.5976 * z + 0.07056 * z ** 3));
}

/** Returns the Mills ratio (upper tail divided by density) far from the mean. */
function millsRatio(z: number): number {
  return 2 / (z + Math.sqrt(z * z + 8 / Math.PI));
}
