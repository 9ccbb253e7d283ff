/** The standard deviation that is assumed before any chunk has ended, and the number of chunks that it counts for. */
const PRIOR_DEVIATION = 0.15;
const PRIOR_WEIGHT = 8;
/** The weight of earlier chunks decays by this factor with every chunk, so that the estimate can follow changes. */
const DECAY = 0.98;
/** A chunk that took this many times as long as predicted, or more, says no more than this. */
const MAX_LOG_RATIO = Math.log(4);

/** Estimates how far the durations of chunks are from what rates and overhead predict: the standard deviation of their logarithm. */
export class PredictionError {
  private count = 0;
  private weight = PRIOR_WEIGHT;
  private squares = PRIOR_WEIGHT * PRIOR_DEVIATION ** 2;

  /** Learns from a chunk that took `seconds`. */
  learn(predicted: number, seconds: number): void {
    const ratio = Math.log(Math.max(seconds, Number.MIN_VALUE) / Math.max(predicted, Number.MIN_VALUE));
    const limited = Math.max(-MAX_LOG_RATIO, Math.min(MAX_LOG_RATIO, ratio));
    this.count++;
    this.weight = DECAY * this.weight + 1;
    this.squares = DECAY * this.squares + limited ** 2;
  }

  /** Starts from the deviation that an earlier run has measured. */
  restore(deviation: number): void {
    this.squares = this.weight * deviation ** 2;
  }

  get deviation(): number {
    return Math.sqrt(this.squares / this.weight);
  }

  /** The deviation, for later runs; undefined where fewer chunks have ended than the assumption counts for. */
  get learned(): number | undefined {
    return this.count < PRIOR_WEIGHT ? undefined : this.deviation;
  }
}
