import { FenwickTree } from "./fenwicktree.js";

/** What decides when a task comes: larger priority first, then greater length, then more bytes, then the order of the list. */
export interface TaskRank {
  priority: number;
  /** A whole number, at least 1. */
  length: number;
  bytes: number;
}

/** Tasks in the order in which they should begin, by their index in a list; each can be taken out. Sorted once. */
export class TaskOrder {
  private readonly order: Uint32Array;
  private readonly positions: Uint32Array;
  /** By place: that place, where its task is still here, else one further on that is no later than the next that is. */
  private readonly nextPresent: Uint32Array;
  private readonly lengths: FenwickTree;

  /** `isGone`: whether the task of an index has been taken out already. */
  constructor(
    private readonly ranks: TaskRank[],
    isGone: (index: number) => boolean,
  ) {
    const count = ranks.length;
    this.order = Uint32Array.from(ranks, (_, index) => index).sort((a, b) => this.compare(a, b) || a - b);
    this.positions = new Uint32Array(count);
    this.nextPresent = Uint32Array.from({ length: count + 1 }, (_, place) => place);
    for (const [place, index] of this.order.entries()) {
      this.positions[index] = place;
      if (isGone(index)) this.nextPresent[place] = place + 1;
    }
    this.lengths = new FenwickTree(
      Float64Array.from(this.order, (index) => (isGone(index) ? 0 : ranks[index]!.length)),
    );
  }

  /** Length of all tasks that are here. */
  get length(): number {
    return this.lengths.prefixSum(this.order.length);
  }

  lengthOf(index: number): number {
    return this.ranks[index]!.length;
  }

  remove(index: number): void {
    const place = this.positions[index]!;
    this.nextPresent[place] = place + 1;
    this.lengths.add(place, -this.ranks[index]!.length);
  }

  /**
   * The task that a slot should begin: of those with the highest priority, the longest that is no longer than `most` and has the
   * share `ahead` of all their length before it; of several alike, the first in the list. undefined = none.
   */
  pick(ahead: number, most: number): number | undefined {
    const first = this.findPresent(0);
    if (first === this.order.length) return undefined;
    const { priority } = this.rankAt(first);
    const end = this.search(first, this.order.length, (rank) => rank.priority < priority);
    const sum = this.lengths.prefixSum(end);
    const start = this.order[this.lengths.findPrefix(Math.min(ahead * sum, sum - 1))]!;
    const alike = this.search(first, end, (_, index) => this.compare(index, start) >= 0);
    const short = this.search(first, end, (rank) => rank.length <= most);
    const place = this.findPresent(Math.max(alike, short));
    return place < end ? this.order[place] : undefined;
  }

  /** The first place from `place` on whose task is here. Paths are halved on the way, so that no walk is long twice. */
  private findPresent(place: number): number {
    let at = place;
    while (this.nextPresent[at] !== at) {
      this.nextPresent[at] = this.nextPresent[this.nextPresent[at]!]!;
      at = this.nextPresent[at]!;
    }
    return at;
  }

  /** The first place from `from` on where `is` holds, as it does from there to `to`. */
  private search(from: number, to: number, is: (rank: TaskRank, index: number) => boolean): number {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (is(this.rankAt(middle), this.order[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private rankAt(place: number): TaskRank {
    return this.ranks[this.order[place]!]!;
  }

  private compare(one: number, other: number): number {
    const [a, b] = [this.ranks[one]!, this.ranks[other]!];
    return b.priority - a.priority || b.length - a.length || b.bytes - a.bytes;
  }
}
