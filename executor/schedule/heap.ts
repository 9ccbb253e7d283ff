/** A queue by rank from which members can be taken out, and in which they can move: each in O(log n). */
export class Heap<T> {
  private readonly items: T[] = [];
  private readonly places = new Map<T, number>();

  /** `before`: whether `a` ranks before `b`; after what it looks at has changed, `put` brings the member to its new place. */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  has(item: T): boolean {
    return this.places.has(item);
  }

  /** The first, which stays. */
  peek(): T | undefined {
    return this.items[0];
  }

  /** Adds a member, or moves it to the place that it now has. */
  put(item: T): void {
    let place = this.places.get(item);
    if (place === undefined) {
      place = this.items.length;
      this.items.push(item);
      this.places.set(item, place);
    }
    this.sink(this.rise(place));
  }

  delete(item: T): boolean {
    const place = this.places.get(item);
    if (place === undefined) return false;
    const last = this.items.pop()!;
    this.places.delete(item);
    if (last !== item) {
      this.set(place, last);
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
    this.places.set(item, place);
  }
}
