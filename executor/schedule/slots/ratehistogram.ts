/** Rates of one class differ by a factor of 2 ** (1 / FINENESS) at the most. */
const CLASSES_PER_DOUBLING = 4;
/** A rate is clearly faster than another if it is so many classes above it: 1.4 to 2 times as fast. */
const FASTER_CLASSES = 3;
/** The class of rate 1. Rates are told apart from 2^-64 to 2^64. */
const UNIT_RATE_CLASS = 64 * CLASSES_PER_DOUBLING;

/** The rates of usable slots in classes of a geometric scale: what a change costs does not depend on how many slots there are. */
export class RateHistogram {
  private readonly counts = new Uint32Array(2 * UNIT_RATE_CLASS + 1);
  private readonly sums = new Float64Array(2 * UNIT_RATE_CLASS + 1);
  /** No slot is in a class below `bottom` or above `top`. */
  private lowestClass = this.counts.length;
  private highestClass = -1;
  private sum = 0;

  /** Slots whose rate is known. */
  count = 0;

  /** What they do in a second together. */
  get total(): number {
    return this.count === 0 ? 0 : this.sum;
  }

  /** What the slots of the slowest class do in a second on average; undefined where no rate is known. */
  get slowest(): number | undefined {
    if (this.count === 0) return undefined;
    while (this.counts[this.lowestClass] === 0) this.lowestClass++;
    return this.sums[this.lowestClass]! / this.counts[this.lowestClass]!;
  }

  /** The same of the fastest class. */
  get fastest(): number | undefined {
    if (this.count === 0) return undefined;
    while (this.counts[this.highestClass] === 0) this.highestClass--;
    return this.sums[this.highestClass]! / this.counts[this.highestClass]!;
  }

  /** A slot's rate is `now`, and was `before`; 0: it cannot be used, or is not known. */
  replaceRate(before: number, now: number): void {
    if (before === now) return;
    if (before > 0) this.add(before, -1);
    if (now > 0) this.add(now, 1);
  }

  /** The share of all that is done which slots do that are clearly faster than `rate`. */
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
