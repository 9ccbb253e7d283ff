/** A set of units as sorted, merged, half-open intervals: small however many chunks were added. */
export class IntervalSet {
  private readonly starts: bigint[] = [];
  private readonly ends: bigint[] = [];

  /** Yields the intervals in ascending order. */
  *[Symbol.iterator](): Generator<[start: bigint, end: bigint]> {
    for (const [index, start] of this.starts.entries()) yield [start, this.ends[index]!];
  }

  /** Adds [start, end) and merges it with overlapping and adjacent intervals. */
  add(start: bigint, end: bigint): void {
    if (start >= end) return;
    const from = this.firstEndingAtOrAfter(start);
    let to = from;
    let low = start;
    let high = end;
    while (to < this.starts.length && this.starts[to]! <= end) {
      if (this.starts[to]! < low) low = this.starts[to]!;
      if (this.ends[to]! > high) high = this.ends[to]!;
      to++;
    }
    this.starts.splice(from, to - from, low);
    this.ends.splice(from, to - from, high);
  }

  /** Removes [start, end), which must be in the set as a whole. */
  remove(start: bigint, end: bigint): void {
    const index = this.firstEndingAtOrAfter(end);
    const [from, to] = [this.starts[index]!, this.ends[index]!];
    const left: [bigint, bigint][] = [];
    if (from < start) left.push([from, start]);
    if (end < to) left.push([end, to]);
    this.starts.splice(index, 1, ...left.map(([first]) => first));
    this.ends.splice(index, 1, ...left.map(([, last]) => last));
  }

  /** Whether any unit of [start, end) is in the set. */
  overlaps(start: bigint, end: bigint): boolean {
    const index = this.firstEndingAtOrAfter(start + 1n);
    return index < this.starts.length && this.starts[index]! < end;
  }

  /** Returns the first interval at or after `from` that is not in the set, up to `end`; undefined = there is none. */
  findGap(from: bigint, end: bigint): [start: bigint, end: bigint] | undefined {
    let start = from;
    let index = this.firstEndingAtOrAfter(start + 1n);
    if (index < this.starts.length && this.starts[index]! <= start) start = this.ends[index++]!;
    if (start >= end) return undefined;
    const next = this.starts[index];
    return [start, next !== undefined && next < end ? next : end];
  }

  /** Whether both sets contain the same units. */
  equals(other: IntervalSet): boolean {
    if (this.starts.length !== other.starts.length) return false;
    return this.starts.every((start, index) => start === other.starts[index] && this.ends[index] === other.ends[index]);
  }

  /** Returns the number of units in the set. */
  size(): bigint {
    return this.starts.reduce((sum, start, index) => sum + this.ends[index]! - start, 0n);
  }

  private firstEndingAtOrAfter(position: bigint): number {
    let low = 0;
    let high = this.ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ends[middle]! < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
