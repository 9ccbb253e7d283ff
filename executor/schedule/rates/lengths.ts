import type { Chunk } from "../../job/job.js";
import type { Rates, Speed } from "./rates.js";

/** How much there is to do in chunks. A slot that does `rate` of it in a second needs the overhead and length / rate seconds. */
export interface Lengths {
  /** What is expected of a chunk before it runs; undefined = nobody knows. */
  of(chunk: Chunk): number | undefined;
  /** What is expected of one that has `past` of it behind it, and is not through. */
  after(chunk: Chunk, past: number): number | undefined;
  /** A slot's rate as long as it has run nothing, from what its profile says. */
  guess(rate: number | undefined): number | undefined;
  /** A chunk took a slot so many seconds. */
  learn(speed: Speed, chunk: Chunk, seconds: number): void;
}

/** Of a range: its units. */
export class UnitLengths implements Lengths {
  constructor(private readonly rates: Rates) {}

  of({ start, end }: Chunk): number {
    return Number(end - start);
  }

  after(chunk: Chunk): number {
    return this.of(chunk);
  }

  guess(rate: number | undefined): number | undefined {
    return rate;
  }

  learn(speed: Speed, chunk: Chunk, seconds: number): void {
    this.rates.learn(speed, this.of(chunk), seconds);
  }
}
