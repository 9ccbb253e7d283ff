/** What can be in a heap, in one at a time. */
export interface Ranked {
  /** Where it is in its heap; undefined: in none. */
  place?: number;
}

/** A queue by rank from which members can be taken out, and in which they can move: each in O(log n). */
export class Heap<T extends Ranked> {
  private readonly items: T[] = [];

  /** `before`: whether `a` ranks before `b`; after what it looks at has changed, `put` brings the member to its new place. */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  /** The first, which stays. */
  peek(): T | undefined {
    return this.items[0];
  }

  /** Adds a member, or moves it to the place that it now has. */
  put(item: T): void {
    this.sink(this.rise(item.place ?? this.items.push(item) - 1));
  }

  /** False where it is not in the heap. */
  delete(item: T): boolean {
    const { place } = item;
    if (place === undefined) return false;
    item.place = undefined;
    const last = this.items.pop()!;
    if (last !== item) {
      this.items[place] = last;
      this.sink(this.rise(place));
    }
    return true;
  }

  /** Members in no order. */
  values(): Iterable<T> {
    return this.items.values();
  }

  private rise(from: number): number {
    const item = this.items[from]!;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >>> 1;
      if (!this.before(item, this.items[above]!)) break;
      this.set(place, this.items[above]!);
      place = above;
    }
    this.set(place, item);
    return place;
  }

  private sink(from: number): void {
    const item = this.items[from]!;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= this.items.length) break;
      if (below + 1 < this.items.length && this.before(this.items[below + 1]!, this.items[below]!)) below++;
      if (!this.before(this.items[below]!, item)) break;
      this.set(place, this.items[below]!);
      place = below;
    }
    this.set(place, item);
  }

  private set(place: number, item: T): void {
    this.items[place] = item;
    item.place = place;
  }
}
