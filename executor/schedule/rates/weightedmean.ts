/** A weighted mean that is updated one number at a time. */
export class WeightedMean {
  constructor(
    private mean?: number,
    private totalWeight = 0,
  ) {}

  /** The mean; undefined before the first number. */
  get value(): number | undefined {
    return this.mean;
  }

  /** The total weight of the numbers. */
  get weight(): number {
    return this.totalWeight;
  }

  add(number: number, weight = 1): void {
    this.totalWeight += weight;
    this.mean = this.mean === undefined ? number : this.mean + ((number - this.mean) * weight) / this.totalWeight;
  }
}
