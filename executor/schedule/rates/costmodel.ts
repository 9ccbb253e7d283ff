import type { Chunk } from "../../job/job.js";
import type { RateEstimate, Rates } from "./rates.js";

/** How much there is to do in chunks. A slot that does `rate` of it in a second needs the overhead and length / rate seconds. */
export interface CostModel {
  /** What is expected of a chunk before it runs; undefined = nobody knows. */
  estimate(chunk: Chunk): number | undefined;
  /** What is expected of one that has `past` of it behind it, and is not through. */
  estimateAfter(chunk: Chunk, past: number): number | undefined;
  /** A slot's rate as long as it has run nothing, from what its profile says. */
  guessRate(rate: number | undefined): number | undefined;
  /** A chunk took a slot so many seconds. */
  learn(speed: RateEstimate, chunk: Chunk, seconds: number): void;
}

/** Of a range: its units. */
export class UnitCosts implements CostModel {
  constructor(private readonly rates: Rates) {}

  estimate({ start, end }: Chunk): number {
    return Number(end - start);
  }

  estimateAfter(chunk: Chunk): number {
    return this.estimate(chunk);
  }

  guessRate(rate: number | undefined): number | undefined {
    return rate;
  }

  learn(speed: RateEstimate, chunk: Chunk, seconds: number): void {
    this.rates.learn(speed, this.estimate(chunk), seconds);
  }
}
