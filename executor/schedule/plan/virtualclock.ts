import { Heap, type HeapItem } from "../slots/heap.js";

interface ClockEntry extends HeapItem {
  at: number;
  order: number;
  act: () => void;
}

/** A virtual clock that runs scheduled actions in the order of their time. */
export class VirtualClock {
  now = 0;
  private count = 0;
  private readonly entries = new Heap<ClockEntry>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));

  /** Advances time without running any action. */
  advance(seconds: number): void {
    this.now += seconds;
  }

  /** Schedules an action. Returns a function that cancels it. */
  schedule(time: number, act: () => void): () => void {
    const entry = { at: time, order: this.count++, act };
    this.entries.put(entry);
    return () => void this.entries.delete(entry);
  }

  /** Advances time until no action is left or `over` returns true. */
  run(over: () => boolean): void {
    for (let first = this.entries.peek(); first !== undefined && !over(); first = this.entries.peek()) {
      this.entries.delete(first);
      this.now = first.at;
      first.act();
    }
  }
}
