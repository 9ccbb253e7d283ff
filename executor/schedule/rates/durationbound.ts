import type { Chunk } from "../../job/job.js";
import type { CostModel } from "./costmodel.js";
import type { Rates } from "./rates.js";

/** Bounds how long chunks run: nine of ten end within the bound. */
export class DurationBound {
  constructor(
    private readonly costs: CostModel,
    private readonly rates: Rates,
  ) {}

  /** Returns how many seconds a chunk runs at most at `rate`: its timeout, or what nine of ten such chunks stay below; Infinity = unknown. */
  longestSeconds(chunk: Chunk, rate: number | undefined): number {
    const { timeout = Number.POSITIVE_INFINITY } = chunk.spec;
    const cost = this.costs.estimate(chunk);
    if (rate === undefined || cost === undefined) return timeout;
    return Math.min(timeout, this.rates.overhead.seconds + (cost * this.costs.ninthDecile) / rate);
  }

  /** Returns the highest cost of a chunk that runs at most `seconds` at `rate`; 0 or less = there is none. */
  mostCost(seconds: number, rate: number): number {
    return (rate * (seconds - this.rates.overhead.seconds)) / this.costs.ninthDecile;
  }
}
