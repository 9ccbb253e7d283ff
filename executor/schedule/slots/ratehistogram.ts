/** The rates in one class differ by a factor of at most 2 ** (1 / CLASSES_PER_DOUBLING). */
const CLASSES_PER_DOUBLING = 4;
/** A rate is faster than another if it is this many classes above it: 1.4 to 2 times as fast. */
const FASTER_CLASSES = 3;
/** The class of rate 1. The classes cover 2^-64 to 2^64. */
const UNIT_RATE_CLASS = 64 * CLASSES_PER_DOUBLING;

/** A histogram of the usable slots' rates with geometric classes. A change costs O(1) however many slots there are. */
export class RateHistogram {
  private readonly counts = new Uint32Array(2 * UNIT_RATE_CLASS + 1);
  private readonly sums = new Float64Array(2 * UNIT_RATE_CLASS + 1);
  /** No slot is in a class below `lowestClass` or above `highestClass`. */
  private lowestClass = this.counts.length;
  private highestClass = -1;
  private sum = 0;

  /** The number of slots with a known rate. */
  count = 0;

  /** The sum of their rates. */
  get total(): number {
    return this.count === 0 ? 0 : this.sum;
  }

  /** The mean rate of the slowest class; undefined = no rate is known. */
  get slowest(): number | undefined {
    if (this.count === 0) return undefined;
    while (this.counts[this.lowestClass] === 0) this.lowestClass++;
    return this.sums[this.lowestClass]! / this.counts[this.lowestClass]!;
  }

  /** The mean rate of the fastest class; undefined = no rate is known. */
  get fastest(): number | undefined {
    if (this.count === 0) return undefined;
    while (this.counts[this.highestClass] === 0) this.highestClass--;
    return this.sums[this.highestClass]! / this.counts[this.highestClass]!;
  }

  /** Replaces the rate `before` of a slot by `now`; 0 = the slot is not usable, or its rate is unknown. */
  replaceRate(before: number, now: number): void {
    if (before === now) return;
    if (before > 0) this.add(before, -1);
    if (now > 0) this.add(now, 1);
  }

  /** Returns the share (0 to 1) of the total rate that belongs to slots faster than `rate`. */
  shareFasterThan(rate: number): number {
    let sum = 0;
    for (let at = classOf(rate) + FASTER_CLASSES; at <= this.highestClass; at++) sum += this.sums[at]!;
    return sum === 0 ? 0 : sum / this.total;
  }

  private add(rate: number, by: 1 | -1): void {
    const at = classOf(rate);
    this.counts[at]! += by;
    this.sums[at] = this.counts[at] === 0 ? 0 : this.sums[at]! + by * rate;
    this.sum += by * rate;
    this.count += by;
    if (by < 0) return;
    this.highestClass = Math.max(this.highestClass, at);
    this.lowestClass = Math.min(this.lowestClass, at);
  }
}

function classOf(rate: number): number {
  return Math.max(
    0,
    Math.min(2 * UNIT_RATE_CLASS, Math.round(CLASSES_PER_DOUBLING * Math.log2(rate)) + UNIT_RATE_CLASS),
  );
}
