/** The standard deviation of a chunk's duration, relative to the duration. */
const RELATIVE_NOISE = 0.2;
/** Two chunks tell something about the overhead only if their sizes differ by this factor. */
const MIN_SIZE_RATIO = 2;
/** The variance (seconds squared) added after each measurement, so that the estimate can follow changes. */
const PROCESS_VARIANCE = 0.001;

interface ChunkTiming {
  units: number;
  seconds: number;
}

/**
 * Estimates the seconds that a chunk takes before its first unit (loading an interpreter and a GPU library), with a scalar
 * Kalman filter. A measurement is a pair of consecutive chunks of different sizes on one slot; the line through both gives
 * the overhead at size 0.
 */
export class OverheadEstimate {
  private value = 0;
  private variance = Number.POSITIVE_INFINITY;

  /** Starts from the overhead (seconds) that an earlier run has learned. */
  restore(value: number): void {
    this.value = value;
    this.variance = value * value + PROCESS_VARIANCE;
  }

  get seconds(): number {
    return this.value;
  }

  get isKnown(): boolean {
    return this.variance < Number.POSITIVE_INFINITY;
  }

  learn(a: ChunkTiming, b: ChunkTiming): void {
    if (Math.max(a.units, b.units) < MIN_SIZE_RATIO * Math.min(a.units, b.units)) return;
    const apart = b.units - a.units;
    const crossing = (a.seconds * b.units - b.seconds * a.units) / apart;
    const measured = Math.max(0, Math.min(crossing, a.seconds, b.seconds));
    const noise = (RELATIVE_NOISE / apart) ** 2 * ((a.seconds * b.units) ** 2 + (b.seconds * a.units) ** 2);
    const gain = this.isKnown ? this.variance / (this.variance + noise) : 1;
    this.value += gain * (measured - this.value);
    this.variance = (this.isKnown ? (1 - gain) * this.variance : noise) + PROCESS_VARIANCE;
  }
}
