/** Fewer chunks, or chunks of sizes that differ by less than this factor, do not tell the overhead from the rate. */
const MIN_CHUNKS = 4;
const MIN_SIZE_RATIO = 2;

/**
 * The line through the sizes (units) and durations (seconds) of all chunks of a slot, by least squares; its value at size 0 is the overhead
 * of a chunk. It takes constant memory (Welford's algorithm).
 */
export class LineFit {
  private count = 0;
  private meanUnits = 0;
  private meanSeconds = 0;
  private unitsSquared = 0;
  private product = 0;
  private least = Number.POSITIVE_INFINITY;
  private most = 0;
  private leastSeconds = Number.POSITIVE_INFINITY;

  /** Adds a chunk. */
  add(units: number, seconds: number): void {
    this.count++;
    const apart = units - this.meanUnits;
    this.meanUnits += apart / this.count;
    this.meanSeconds += (seconds - this.meanSeconds) / this.count;
    this.unitsSquared += apart * (units - this.meanUnits);
    this.product += apart * (seconds - this.meanSeconds);
    this.least = Math.min(this.least, units);
    this.most = Math.max(this.most, units);
    this.leastSeconds = Math.min(this.leastSeconds, seconds);
  }

  /** The overhead in seconds, and how much the sizes behind it differ; undefined where they do not tell. */
  get overhead(): { seconds: number; weight: number } | undefined {
    if (this.count < MIN_CHUNKS || this.most < MIN_SIZE_RATIO * this.least) return undefined;
    const crossing = this.meanSeconds - (this.product / this.unitsSquared) * this.meanUnits;
    const seconds = Math.max(0, Math.min(crossing, this.leastSeconds));
    return { seconds, weight: this.unitsSquared / this.meanUnits ** 2 };
  }
}
