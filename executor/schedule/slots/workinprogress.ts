import { Heap, type HeapItem } from "./heap.js";

/** A slot that is at work. `rate`: units a second; `endsAt`: when its last chunk is expected to end, in seconds. */
interface BusySlot extends HeapItem {
  readonly rate: number;
  readonly endsAt: number;
}

/**
 * The units that busy slots still have to complete. It keeps sums, so that reading it costs O(1), and a heap of the slots, so that one that
 * is late counts as if it were about to end.
 */
export class WorkInProgress {
  private readonly slots = new Map<string, BusySlot>();
  private readonly byEnd = new Heap<BusySlot>((a, b) => a.endsAt < b.endsAt);
  /** Of the slots in the heap: their rates, and the units that they would complete from time 0 to their ends. */
  private rate = 0;
  private unitsFromZero = 0;

  /** Adds a chunk that takes a slot (by its key) `seconds` at `rate`, after those that it has. */
  add(key: string, rate: number, seconds: number, now: number): void {
    const endsAt = Math.max(now, this.slots.get(key)?.endsAt ?? now) + seconds;
    this.remove(key);
    const slot: BusySlot = { rate, endsAt };
    this.slots.set(key, slot);
    this.byEnd.put(slot);
    this.rate += rate;
    this.unitsFromZero += rate * endsAt;
  }

  /** Returns when the last chunk of a slot is expected to end, in seconds; undefined = it has none, or that is unknown. */
  endOf(key: string): number | undefined {
    return this.slots.get(key)?.endsAt;
  }

  /** Removes all chunks of a slot. */
  remove(key: string): void {
    const slot = this.slots.get(key);
    if (slot === undefined) return;
    this.slots.delete(key);
    this.removeFromSums(slot);
  }

  /** Returns the units that busy slots could complete until their chunks end, and the rate of these slots together. */
  sum(now: number): { units: number; rate: number } {
    for (let first = this.byEnd.peek(); first !== undefined && first.endsAt <= now; first = this.byEnd.peek())
      this.removeFromSums(first);
    return { units: Math.max(0, this.unitsFromZero - this.rate * now), rate: this.rate };
  }

  private removeFromSums(slot: BusySlot): void {
    if (!this.byEnd.delete(slot)) return;
    const isEmpty = this.byEnd.size === 0;
    this.rate = isEmpty ? 0 : this.rate - slot.rate;
    this.unitsFromZero = isEmpty ? 0 : this.unitsFromZero - slot.rate * slot.endsAt;
  }
}
