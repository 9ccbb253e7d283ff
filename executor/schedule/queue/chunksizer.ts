import type { Sizing } from "../../job/job.js";
import { chooseChunkSize } from "../rates/chunksize.js";
import type { Rates } from "../rates/rates.js";
import type { Pool } from "../slots/pool.js";
import type { SlotState } from "../slots/slotstate.js";

/** Sizes the chunks of a range by the present slots and rates. */
export class ChunkSizer {
  /** The units of the chunk that was sized last. */
  lastSize = 1;
  private slowestExpected: number | undefined;

  /**
   * `expected`: the rate of the slowest slot of each node that may still join, so that the first node to join does not pass
   * for the slowest.
   */
  constructor(
    private readonly pool: Pool,
    private readonly rates: Rates,
    private readonly expected: Map<string, number>,
  ) {
    this.removeExpected("");
  }

  /** Removes a node that has joined or will not join. */
  removeExpected(node: string): void {
    this.expected.delete(node);
    this.slowestExpected = this.expected.size === 0 ? undefined : Math.min(...this.expected.values());
  }

  /** Returns the units of a slot's next chunk when `left` units are unassigned. */
  sizeNext(sizing: Sizing, slot: SlotState, left: bigint): bigint {
    const size = chooseChunkSize(sizing, slot.rateEstimate, {
      left: Number(left),
      slots: this.pool.usableSlots,
      rate: this.pool.rate,
      slowest: this.slowestRate(),
      overhead: this.rates.overhead,
    });
    this.lastSize = Number(size);
    return size;
  }

  private slowestRate(): number | undefined {
    const { slowest } = this.pool.rateHistogram;
    if (slowest === undefined || this.slowestExpected === undefined) return slowest ?? this.slowestExpected;
    return Math.min(slowest, this.slowestExpected);
  }
}
