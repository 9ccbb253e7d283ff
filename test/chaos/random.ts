import { createMulberry32 } from "../faults/mulberry32.js";

/** Random choices that a seed repeats. */
export class Random {
  private readonly next: () => number;

  constructor(seed: number) {
    // Seeds in a row are spread first, so that a few of them differ in more than their last draws.
    this.next = createMulberry32(Math.imul(seed ^ (seed >>> 16), 0x9e3779b1));
  }

  /** A number in [from, to). */
  real(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  /** A number in [from, to), of which each order of magnitude is as likely as the others. */
  magnitude(from: number, to: number): number {
    return Math.exp(this.real(Math.log(from), Math.log(to)));
  }

  /** An integer in [from, to]. */
  integer(from: number, to: number): number {
    return Math.floor(this.real(from, to + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)]!;
  }
}
