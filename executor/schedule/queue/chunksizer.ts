import type { Sizing } from "../../job/job.js";
import { chooseChunkSize } from "../rates/chunksize.js";
import type { Rates } from "../rates/rates.js";
import { ExpectedCapacity } from "../slots/expectedcapacity.js";
import type { ExpectedNode } from "../slots/expectednodes.js";
import type { Pool } from "../slots/pool.js";
import { isConnected, isUsable, type SlotState } from "../slots/slotstate.js";

/** Sizes the chunks of a range by the slots and rates that are there, or that nodes will bring. */
export class ChunkSizer {
  /** The units of the chunk that was sized last. */
  lastSize = 1;
  private readonly expected: ExpectedCapacity;
  /** The nodes that are expected and have not joined yet. */
  private readonly neverJoined: Set<string>;

  /**
   * `width`: how many slots each chunk needs at once. `expected`: the nodes that may still join, so that the first ones to join leave them their
   * share of the work.
   */
  constructor(
    private readonly pool: Pool,
    private readonly rates: Rates,
    private readonly width: number,
    expected: ReadonlyMap<string, ExpectedNode>,
  ) {
    this.expected = new ExpectedCapacity(expected);
    this.neverJoined = new Set(expected.keys());
  }

  /** Removes a node that has joined or will not join. */
  removeExpected(node: string): void {
    this.neverJoined.delete(node);
    this.expected.remove(node);
  }

  /** Removes all nodes that have not joined so far. */
  removeAllExpected(): void {
    for (const node of this.neverJoined) this.removeExpected(node);
  }

  /** Expects a node that has disconnected to come back with the slots that it could use. Call this before the pool knows. */
  expectBack(node: string): void {
    const state = this.pool.nodes.get(node);
    if (state === undefined || !isConnected(state)) return;
    const slots = state.slots.filter(isUsable).map((slot) => ({ ...slot, rate: slot.rateEstimate.rate }));
    this.expected.add(node, { slots, limit: state.maxConcurrent });
  }

  /** Returns the units of a slot's next chunk when `left` units are unassigned; 0 = the fewest that it may have cost more than `fitCost`. */
  sizeNext(sizing: Sizing, slot: SlotState, left: bigint, now: number, fitCost = Number.POSITIVE_INFINITY): bigint {
    const { rate } = slot.rateEstimate;
    const estimate = { ...slot.rateEstimate, rate: rate && rate * this.width };
    const size = chooseChunkSize(sizing, estimate, {
      left: Number(left),
      inProgress: this.pool.workInProgress.sum(now),
      ...this.sumCapacity(),
      slowest: this.slowestRate(),
      overhead: this.rates.overhead,
      deviation: this.rates.predictionError.deviation,
    });
    this.lastSize = Number(size);
    const most = Math.floor(fitCost * this.width);
    if (most >= this.lastSize) return size;
    return most < Math.min(Math.max(1, sizing.min), Number(left)) ? 0n : BigInt(most);
  }

  /**
   * Returns the number of chunks that run at once and the rate of all slots; a slot with an unknown rate counts as the average of the
   * others.
   */
  private sumCapacity(): { slots: number; rate: number | undefined } {
    const { usableSlots, rateHistogram } = this.pool;
    const slots = usableSlots + this.expected.slots;
    const rated = rateHistogram.count + this.expected.rated;
    return {
      slots: slots / this.width,
      rate: rated === 0 ? undefined : ((rateHistogram.total + this.expected.rate) * slots) / rated,
    };
  }

  private slowestRate(): number | undefined {
    const known = [this.pool.rateHistogram.slowest, this.expected.slowest].flatMap((rate) => rate ?? []);
    return known.length === 0 ? undefined : this.width * Math.min(...known);
  }
}
