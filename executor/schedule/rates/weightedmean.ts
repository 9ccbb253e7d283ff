/** A weighted mean that takes in one number after the other. */
export class WeightedMean {
  constructor(
    private mean?: number,
    private totalWeight = 0,
  ) {}

  /** undefined before the first. */
  get value(): number | undefined {
    return this.mean;
  }

  /** Of all numbers together. */
  get weight(): number {
    return this.totalWeight;
  }

  add(number: number, weight = 1): void {
    this.totalWeight += weight;
    this.mean = this.mean === undefined ? number : this.mean + ((number - this.mean) * weight) / this.totalWeight;
  }
}
