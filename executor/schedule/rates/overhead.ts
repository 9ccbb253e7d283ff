/** How far a chunk's time is expected to be off, as a share of it. */
const RELATIVE_NOISE = 0.2;
/** Two chunks say something of the overhead if one is this many times as large as the other. */
const MIN_SIZE_RATIO = 2;
/** The estimate is doubted a little more with every measurement (seconds squared), so that it can move. */
const PROCESS_VARIANCE = 0.001;

interface ChunkTiming {
  units: number;
  seconds: number;
}

/**
 * Seconds that a chunk takes before its first unit (an interpreter and a GPU library loading), learned from pairs of chunks of
 * different sizes that one slot ran one after the other, each pair weighed by what its sizes can tell.
 */
export class OverheadEstimate {
  private value = 0;
  private variance = Number.POSITIVE_INFINITY;

  /** `value`: what an earlier run has learned. */
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
