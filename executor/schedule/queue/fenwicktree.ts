/** Prefix sums of changing integers in O(log n) (Fenwick, 1994). */
export class FenwickTree {
  private readonly tree: Float64Array;

  constructor(values: ArrayLike<number>) {
    this.tree = new Float64Array(values.length + 1);
    for (let place = 1; place < this.tree.length; place++) {
      this.tree[place]! += values[place - 1]!;
      const above = place + (place & -place);
      if (above < this.tree.length) this.tree[above]! += this.tree[place]!;
    }
  }

  add(at: number, by: number): void {
    for (let place = at + 1; place < this.tree.length; place += place & -place) this.tree[place]! += by;
  }

  /** Returns the sum of the values before index `end`. */
  prefixSum(end: number): number {
    let sum = 0;
    for (let place = end; place > 0; place -= place & -place) sum += this.tree[place]!;
    return sum;
  }

  /** Returns the first index whose prefix sum, its own value included, exceeds `sum`; the number of values if none does. */
  findPrefix(sum: number): number {
    let place = 0;
    let left = sum;
    for (let step = 2 ** Math.floor(Math.log2(this.tree.length)); step >= 1; step /= 2) {
      if (place + step >= this.tree.length || this.tree[place + step]! > left) continue;
      place += step;
      left -= this.tree[place]!;
    }
    return place;
  }
}
