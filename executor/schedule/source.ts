import { Coverage } from "./coverage.js";

/** The units that nobody has been given yet. Lazy: 2^64 of them cost no more than one. */
export class Source {
  private readonly taken = new Coverage();
  private cursor: bigint;
  private remaining: bigint;

  constructor(
    first: bigint,
    private readonly end: bigint,
  ) {
    this.cursor = first;
    this.remaining = end - first;
  }

  /** Units still to be given out. */
  get left(): bigint {
    return this.remaining;
  }

  /** Takes the next stretch of at most `size` units, in order; undefined when none is left. */
  take(size: bigint): [start: bigint, end: bigint] | undefined {
    const gap = this.taken.gap(this.cursor, this.end);
    if (gap === undefined) return undefined;
    const [start, limit] = gap;
    const end = start + size < limit ? start + size : limit;
    this.cursor = end;
    this.remove(start, end);
    return [start, end];
  }

  /** Takes [start, end) out, e.g. because an earlier session did it. False, and nothing taken, if any of it was taken already. */
  remove(start: bigint, end: bigint): boolean {
    if (this.taken.touches(start, end)) return false;
    this.taken.add(start, end);
    this.remaining -= end - start;
    return true;
  }
}
