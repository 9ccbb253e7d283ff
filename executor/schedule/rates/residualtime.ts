/** Before anything is known, expectations are taken to be off by this much (variance of the logarithm), with the weight of one that has come. */
const PRIOR_VARIANCE = 0.5;
/** From so many deviations on, a tail is reckoned by its asymptote. */
const ASYMPTOTIC_Z = 2.5;

/** How far off expectations are, from what came over what was expected: taken to be log-normal, as durations nearly always are. */
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

  /** What a ratio comes to on average, now that it is `past` already; one that is beyond all others, as far again at the least. */
  expectBeyond(past: number): number {
    const deviation = Math.sqrt(this.squaredDeviations / (this.count + 1));
    const z = (Math.log(Math.max(past, Number.MIN_VALUE)) - this.mean) / deviation;
    const whole = Math.exp(this.mean + deviation ** 2 / 2);
    const expected =
      z < ASYMPTOTIC_Z
        ? (whole * normalTail(z - deviation)) / normalTail(z)
        : (past * millsRatio(z - deviation)) / millsRatio(z);
    return Math.max(expected, 2 * past - this.largest);
  }
}

/** The share of a normal distribution above `z` deviations (Page's approximation, good to 0.0002). */
function normalTail(z: number): number {
  return 1 / (1 + Math.exp(1.5976 * z + 0.07056 * z ** 3));
}

/** That share over the density at `z`, far from the middle. */
function millsRatio(z: number): number {
  return 2 / (z + Math.sqrt(z * z + 8 / Math.PI));
}
