import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

const BLOCK_BYTES = 1 << 16;
const LINE_BREAK = 0x0a;

/**
 * Reads the lines of results.ndjson as they are committed. It keeps the file that it has opened, so that it also reads all lines once where
 * the run sorts them meanwhile into a new file.
 */
export class CommittedLines {
  private fd: number | undefined;
  private offset = 0;
  private rest = Buffer.alloc(0);

  /** `path`: the run directory. */
  constructor(private readonly path: string) {}

  /** Yields the lines that have not been read, of those before byte `end`. */
  *read(end: number): Generator<string> {
    for (;;) {
      const at = this.rest.indexOf(LINE_BREAK);
      if (at >= 0) {
        const line = this.rest.toString("utf8", 0, at);
        this.rest = this.rest.subarray(at + 1);
        yield line;
      } else if (!this.readBlock(end)) return;
    }
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  /** Opens the file, where it exists. It can then be read also after the run has replaced it. */
  open(): void {
    const file = join(this.path, "results.ndjson");
    if (this.fd === undefined && existsSync(file)) this.fd = openSync(file, "r");
  }

  private readBlock(end: number): boolean {
    this.open();
    if (this.fd === undefined || this.offset >= end) return false;
    // Blocks grow with the line, so that a long one is not copied again and again.
    const block = Buffer.alloc(Math.min(Math.max(BLOCK_BYTES, this.rest.length), end - this.offset));
    const count = readSync(this.fd, block, 0, block.length, this.offset);
    this.offset += count;
    this.rest = Buffer.concat([this.rest, block.subarray(0, count)]);
    return count > 0;
  }
}

/**
 * Returns how many bytes of results.ndjson in the run directory `path` are committed. Only right while nothing is being committed: in a
 * `chunksCommitted` of the run's observer, at its start, and after its end.
 */
export function countCommittedBytes(path: string): number {
  return statSync(join(path, "results.ndjson"), { throwIfNoEntry: false })?.size ?? 0;
}
