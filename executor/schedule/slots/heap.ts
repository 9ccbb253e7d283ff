/** What can be in a heap, in one at a time. */
export interface HeapItem {
  /** Where it is in its heap; undefined: in none. */
  heapIndex?: number;
}

/** A queue by rank from which members can be taken out, and in which they can move: each in O(log n). */
export class Heap<T extends HeapItem> {
  private readonly items: T[] = [];

  /** `before`: whether `a` ranks before `b`; after what it looks at has changed, `put` brings the member to its new place. */
  constructor(private readonly comesBefore: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  /** The first, which stays. */
  peek(): T | undefined {
    return this.items[0];
  }

  /** Adds a member, or moves it to the place that it now has. */
  put(item: T): void {
    this.siftDown(this.siftUp(item.heapIndex ?? this.items.push(item) - 1));
  }

  /** False where it is not in the heap. */
  delete(item: T): boolean {
    const { heapIndex: place } = item;
    if (place === undefined) return false;
    item.heapIndex = undefined;
    const last = this.items.pop()!;
    if (last !== item) {
      this.items[place] = last;
      this.siftDown(this.siftUp(place));
    }
    return true;
  }

  /** Members in no order. */
  values(): Iterable<T> {
    return this.items.values();
  }

  private siftUp(from: number): number {
    const item = this.items[from]!;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >>> 1;
      if (!this.comesBefore(item, this.items[above]!)) break;
      this.set(place, this.items[above]!);
      place = above;
    }
    this.set(place, item);
    return place;
  }

  private siftDown(from: number): void {
    const item = this.items[from]!;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= this.items.length) break;
      if (below + 1 < this.items.length && this.comesBefore(this.items[below + 1]!, this.items[below]!)) below++;
      if (!this.comesBefore(this.items[below]!, item)) break;
      this.set(place, this.items[below]!);
      place = below;
    }
    this.set(place, item);
  }

  private set(place: number, item: T): void {
    this.items[place] = item;
    item.heapIndex = place;
  }
}
