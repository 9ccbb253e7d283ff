/** How far a chunk's time is expected to be off, as a share of it. */
const NOISE = 0.2;
/** Two chunks say something of the overhead if one is this many times as large as the other. */
const CONTRAST = 2;
/** The estimate is doubted a little more with every measurement (seconds squared), so that it can move. */
const DRIFT = 0.001;

interface Sample {
  units: number;
  seconds: number;
}

/**
 * Seconds that a chunk takes before its first unit (an interpreter and a GPU library loading), learned from pairs of chunks of
 * different sizes that one slot ran one after the other, each pair weighed by what its sizes can tell.
 */
export class Overhead {
  private value = 0;
  private doubt = Number.POSITIVE_INFINITY;

  /** `value`: what an earlier run has learned. */
  start(value: number): void {
    this.value = value;
    this.doubt = value * value + DRIFT;
  }

  get seconds(): number {
    return this.value;
  }

  get known(): boolean {
    return this.doubt < Number.POSITIVE_INFINITY;
  }

  learn(a: Sample, b: Sample): void {
    if (Math.max(a.units, b.units) < CONTRAST * Math.min(a.units, b.units)) return;
    const apart = b.units - a.units;
    const crossing = (a.seconds * b.units - b.seconds * a.units) / apart;
    const measured = Math.max(0, Math.min(crossing, a.seconds, b.seconds));
    const noise = (NOISE / apart) ** 2 * ((a.seconds * b.units) ** 2 + (b.seconds * a.units) ** 2);
    const gain = this.known ? this.doubt / (this.doubt + noise) : 1;
    this.value += gain * (measured - this.value);
    this.doubt = (this.known ? (1 - gain) * this.doubt : noise) + DRIFT;
  }
}
