/** An item of a heap. It can be in one heap at a time. */
export interface HeapItem {
  /** Its index in the heap; undefined = in no heap. */
  heapIndex?: number;
}

/** An indexed binary heap: items can be removed and moved in O(log n). */
export class Heap<T extends HeapItem> {
  private readonly items: T[] = [];

  /** `comesBefore`: whether `a` comes before `b`. After a change of what it compares, call `put` to move the item. */
  constructor(private readonly comesBefore: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  /** Returns the first item without removing it. */
  peek(): T | undefined {
    return this.items[0];
  }

  /** Adds an item, or moves it to its new position. */
  put(item: T): void {
    this.siftDown(this.siftUp(item.heapIndex ?? this.items.push(item) - 1));
  }

  /** Removes an item; false if it is not in the heap. */
  delete(item: T): boolean {
    const { heapIndex } = item;
    if (heapIndex === undefined) return false;
    item.heapIndex = undefined;
    const last = this.items.pop()!;
    if (last !== item) {
      this.items[heapIndex] = last;
      this.siftDown(this.siftUp(heapIndex));
    }
    return true;
  }

  /** The items, in no particular order. */
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
