import { Heap, type HeapItem } from "../../executor/schedule/slots/heap.js";

interface ClockEntry extends HeapItem {
  at: number;
  order: number;
  act: () => void;
}

/** A virtual clock: what is to happen, done in the order of its time. */
export class VirtualClock {
  now = 0;
  private count = 0;
  private readonly entries = new Heap<ClockEntry>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));

  /** Answers with what takes it off again. */
  schedule(time: number, act: () => void): () => void {
    const entry = { at: time, order: this.count++, act };
    this.entries.put(entry);
    return () => void this.entries.delete(entry);
  }

  /** Lets time pass until nothing is left to happen or `over`. */
  run(over: () => boolean): void {
    for (let first = this.entries.peek(); first !== undefined && !over(); first = this.entries.peek()) {
      this.entries.delete(first);
      this.now = first.at;
      first.act();
    }
  }
}
