import type { Sizing } from "../../job/job.js";
import type { Rates } from "../rates/rates.js";
import { chunkSize } from "../rates/size.js";
import type { Pool } from "../slots/pool.js";
import type { SlotState } from "../slots/slot.js";

/** How large the chunks of a range are made, as slots and rates are at that moment. */
export class Sizes {
  /** Units of the chunk that was sized last. */
  last = 1;
  private slowestToCome: number | undefined;

  /** `expected`: the rate of the slowest slot of each node that may still join, so that the first to come is not taken for the slowest. */
  constructor(
    private readonly pool: Pool,
    private readonly rates: Rates,
    private readonly expected: Map<string, number>,
  ) {
    this.met("");
  }

  /** A node is there, or will not come. */
  met(node: string): void {
    this.expected.delete(node);
    this.slowestToCome = this.expected.size === 0 ? undefined : Math.min(...this.expected.values());
  }

  /** Units of a slot's next chunk, where so many are left. */
  next(sizing: Sizing, slot: SlotState, left: bigint): bigint {
    const size = chunkSize(sizing, slot.speed, {
      left: Number(left),
      slots: this.pool.usableSlots,
      rate: this.pool.rate,
      slowest: this.slowest(),
      overhead: this.rates.overhead,
    });
    this.last = Number(size);
    return size;
  }

  private slowest(): number | undefined {
    const { slowest } = this.pool.speeds;
    if (slowest === undefined || this.slowestToCome === undefined) return slowest ?? this.slowestToCome;
    return Math.min(slowest, this.slowestToCome);
  }
}
