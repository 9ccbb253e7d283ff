import { statfs } from "node:fs/promises";
import { Semaphore } from "../../../fleet/semaphore.js";
import { formatBytes } from "../../../schemas/bytecount.js";
import { DiskError, FREE_SPACE_ADVICE } from "../record/diskerror.js";

/** What pulls leave free on this machine's disk, for the journal and the summary. */
const RESERVED_BYTES = 4 << 20;
/** Results up to this size are pulled without a look at the free space. */
const UNCHECKED_PULL_BYTES = 256 << 10;
/** Larger results than this are pulled a few at a time, because each has up to 4 MiB in memory on its way. */
const LARGE_PULL_BYTES = 1 << 20;
const MAX_CONCURRENT_LARGE_PULLS = 6;

/** Reserves free space in `folder` for each result before it is pulled there. */
export class DiskReservation {
  private reservedBytes = 0;
  private readonly large = new Semaphore(MAX_CONCURRENT_LARGE_PULLS);

  constructor(readonly folder: string) {}

  /** Runs `pull`, which writes `sizeBytes`, and returns its result. Rejects with a DiskError if that many bytes would not fit. */
  async withReservation<T>(sizeBytes: number, pull: () => Promise<T>): Promise<T> {
    if (sizeBytes <= UNCHECKED_PULL_BYTES) return pull();
    if (sizeBytes <= LARGE_PULL_BYTES) return this.reserve(sizeBytes, pull);
    return this.large.run(() => this.reserve(sizeBytes, pull));
  }

  private async reserve<T>(sizeBytes: number, pull: () => Promise<T>): Promise<T> {
    this.reservedBytes += sizeBytes;
    try {
      const { bavail, bsize } = await statfs(this.folder);
      const freeBytes = bavail * bsize;
      if (freeBytes < this.reservedBytes + RESERVED_BYTES)
        throw new DiskError(
          `a result of ${formatBytes(sizeBytes)} does not fit: ${formatBytes(freeBytes)} are free in ${this.folder}`,
          FREE_SPACE_ADVICE,
        );
      return await pull();
    } finally {
      this.reservedBytes -= sizeBytes;
    }
  }
}
