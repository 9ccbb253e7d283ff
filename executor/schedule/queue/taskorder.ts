import { FenwickTree } from "./fenwicktree.js";

/** The sort key of a task: higher priority first, then more GPUs, then greater length, then more bytes, then its position in the list. */
export interface TaskRank {
  priority: number;
  /** How many slots it needs at once. */
  width: number;
  /** An integer, at least 1. */
  length: number;
  bytes: number;
}

/** Tasks in the order in which they should start, by their index in a list. Sorted once; tasks can be removed. */
export class TaskOrder {
  private readonly order: Uint32Array;
  private readonly positions: Uint32Array;
  /**
   * For each position: the position itself if its task is present, else a later one that is not past the next present task.
   * A union-find structure with path halving.
   */
  private readonly nextPresent: Uint32Array;
  private readonly lengths: FenwickTree;

  /** `isTaken`: whether the task with this index was removed before. */
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

  /** The total length of the present tasks. */
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
   * Returns the index of the task that a slot should start. Among the tasks with the highest priority, and of those the most GPUs, it is the longest
   * one that is no longer than `most` and has the share `ahead` (0 to 1) of their total length before it; among equals, the
   * first in the list. None of those may be longer than `fitting`; if all of them are, it is one of the next. undefined = there is none.
   */
  pick(ahead: number, most: number, fitting = Number.POSITIVE_INFINITY): number | undefined {
    let before = 0;
    for (let first = this.findPresent(0); first < this.order.length; ) {
      const { end, index } = this.pickFrom(first, before, ahead, Math.min(most, fitting));
      if (index !== undefined || most <= fitting) return index;
      before = this.lengths.prefixSum(end);
      first = this.findPresent(end);
    }
    return undefined;
  }

  /**
   * Picks a task among those that are as urgent and need as many GPUs as the one at position `first`; `before`: the total length of those
   * before it. Returns the index, and the position where the others begin.
   */
  private pickFrom(first: number, before: number, ahead: number, most: number): { end: number; index?: number } {
    const { priority, width } = this.rankAt(first);
    const isLater = (rank: TaskRank) => rank.priority < priority || (rank.priority === priority && rank.width < width);
    const end = this.search(first, this.order.length, isLater);
    const sum = this.lengths.prefixSum(end) - before;
    const start = this.order[this.lengths.findPrefix(before + Math.min(ahead * sum, sum - 1))]!;
    const position = this.search(first, end, (_, index) => this.compare(index, start) >= 0);
    const cutoff = this.search(first, end, (rank) => rank.length <= most);
    const place = this.findPresent(Math.max(position, cutoff));
    return { end, index: place < end ? this.order[place] : undefined };
  }

  /** Returns the first position at or after `place` whose task is present, halving paths on the way. */
  private findPresent(place: number): number {
    let at = place;
    while (this.nextPresent[at] !== at) {
      this.nextPresent[at] = this.nextPresent[this.nextPresent[at]!]!;
      at = this.nextPresent[at]!;
    }
    return at;
  }

  /** Binary search: returns the first position in [from, to) where `is` holds; it must hold from there on. */
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
    return b.priority - a.priority || b.width - a.width || b.length - a.length || b.bytes - a.bytes;
  }
}
