/** A weighted mean that takes in one number after the other. */
export class Average {
  constructor(
    private mean?: number,
    private total = 0,
  ) {}

  /** undefined before the first. */
  get value(): number | undefined {
    return this.mean;
  }

  /** Of all numbers together. */
  get weight(): number {
    return this.total;
  }

  add(number: number, weight = 1): void {
    this.total += weight;
    this.mean = this.mean === undefined ? number : this.mean + ((number - this.mean) * weight) / this.total;
  }
}
