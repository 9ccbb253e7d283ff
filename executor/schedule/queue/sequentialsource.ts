import type { SlotState } from "../slots/slotstate.js";
import type { ChunkSource } from "./chunksource.js";
import { IntervalSet } from "./intervalset.js";

/** Gives out units in ascending order. Lazy: 2^64 units cost no more memory than one. */
export class SequentialSource implements ChunkSource {
  private readonly taken = new IntervalSet();
  private cursor: bigint;
  private remaining: bigint;

  /** `sizeFor`: the most units of a slot's next chunk, whose cost is at most `fitCost`; 0 = the slot should get none. */
  constructor(
    first: bigint,
    private readonly end: bigint,
    private readonly sizeFor: (slot: SlotState, left: bigint, now: number, fitCost: number) => bigint,
  ) {
    this.cursor = first;
    this.remaining = end - first;
  }

  get left(): bigint {
    return this.remaining;
  }

  take(
    slot: SlotState,
    now: number,
    _mostCost?: number,
    fitCost = Number.POSITIVE_INFINITY,
  ): [start: bigint, end: bigint] | undefined {
    if (this.remaining === 0n) return undefined;
    const size = this.sizeFor(slot, this.remaining, now, fitCost);
    const gap = size === 0n ? undefined : this.taken.findGap(this.cursor, this.end);
    if (gap === undefined) return undefined;
    const [start, limit] = gap;
    const end = start + size < limit ? start + size : limit;
    this.cursor = end;
    this.remove(start, end);
    return [start, end];
  }

  remove(start: bigint, end: bigint): boolean {
    if (this.taken.overlaps(start, end)) return false;
    this.taken.add(start, end);
    this.remaining -= end - start;
    return true;
  }
}
