import { parseRangeId } from "../../job/chunkids.js";

/**
 * Which chunks of a run are followed: all, or one. In a range, the id of a chunk that has given units away changes while it runs, so that
 * its first unit identifies it.
 */
export class FollowedChunks {
  /** How the ids of the chunk begin; undefined = only `chunk` itself. */
  private readonly prefix: string | undefined;

  constructor(
    readonly chunk: string | undefined,
    private readonly isRange: boolean,
  ) {
    this.prefix = chunk !== undefined && this.keyOf(chunk) !== chunk ? this.keyOf(chunk) : undefined;
  }

  /** Returns what identifies a chunk. */
  keyOf(chunk: string): string {
    const units = this.isRange ? parseRangeId(chunk) : undefined;
    return units === undefined ? chunk : `${units[0]}-`;
  }

  includes(chunk: string): boolean {
    return this.chunk === undefined || this.keyOf(chunk) === this.keyOf(this.chunk);
  }

  /** Returns the selection for a node. */
  forNode(): { chunk?: string; isPrefix?: boolean } {
    if (this.chunk === undefined) return {};
    return this.prefix === undefined ? { chunk: this.chunk } : { chunk: this.prefix, isPrefix: true };
  }
}
