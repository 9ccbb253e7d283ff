import { statfs } from "node:fs/promises";
import { Semaphore } from "../../../fleet/semaphore.js";
import { MusterError } from "../../../schemas/errors.js";

/** Bytes that a pull leaves free on this machine's disk, for the journal and for what ends the run in order. */
const RESERVED_BYTES = 4 << 20;
/** A result up to this size, bytes, is pulled without asking how much room there is. */
const UNCHECKED_PULL_BYTES = 256 << 10;
/** Results larger than this, bytes, are pulled so many at a time: each has up to 4 MiB on its way in memory. */
const LARGE_PULL_BYTES = 1 << 20;
const MAX_CONCURRENT_LARGE_PULLS = 6;

/** What this machine's disk (or its permissions) would not do: the run cannot go on, and everything is kept. */
export class DiskError extends MusterError {
  constructor(message: string, next: string, cause?: unknown) {
    super("DISK", 3, message, { next, cause });
  }
}

const FREE_SPACE_ADVICE =
  "Make room there; the same command then goes on, and computes nothing again that a node has done.";
const ERRNO_REASONS: Record<string, [reason: string, next: string]> = {
  ENOSPC: ["no space is left there", FREE_SPACE_ADVICE],
  EDQUOT: ["the quota is used up", FREE_SPACE_ADVICE],
  EROFS: ["the file system there is read-only", "Make it writable, or choose another folder with --out."],
  EACCES: ["permission denied", "Choose another folder with --out, or change its owner or mode."],
  EPERM: ["permission denied", "Choose another folder with --out, or change its owner or mode."],
  ENOTDIR: ["a part of its path is a file and no folder", "Choose another folder with --out."],
  EEXIST: ["it is a file and no folder", "Move the file away, or choose another folder with --out."],
  ENOENT: [
    "it is not there any more",
    "Nothing but muster should change a run directory; start anew beside it with --fresh.",
  ],
  EIO: ["the disk fails (input/output error)", "Look at the kernel's log; what the nodes have done is still there."],
  EMFILE: ["too many open files", "Raise the limit (ulimit -n)."],
};

/**
 * An error of the system, met at work on the run directory `path`, as one that a person can act on. Any other error (one of ours,
 * or a bug) is answered as it is.
 */
export function explainDiskError(path: string, error: unknown): unknown {
  const { code, syscall, message, path: source, dest } = error as NodeJS.ErrnoException & { dest?: string };
  // A copy names both files, and it is the new one that the disk refuses.
  const where = dest ?? source;
  if (error instanceof MusterError || code === undefined || syscall === undefined) return error;
  if (where !== undefined && !where.startsWith(path)) return error;
  const [reason, next] = ERRNO_REASONS[code] ?? [message, FREE_SPACE_ADVICE];
  return new DiskError(`cannot write to the run directory ${where ?? path}: ${reason}`, next, error);
}

/** Files that are on their way here, and room for them: each is asked for before it is pulled. */
export class DiskReservation {
  private reservedBytes = 0;
  private readonly large = new Semaphore(MAX_CONCURRENT_LARGE_PULLS);

  constructor(readonly folder: string) {}

  /** Runs `pull`, which will write `size` bytes; rejects with a DiskError instead where they would not fit. */
  async withReservation<T>(size: number, pull: () => Promise<T>): Promise<T> {
    if (size <= UNCHECKED_PULL_BYTES) return pull();
    return size <= LARGE_PULL_BYTES ? this.reserve(size, pull) : this.large.run(() => this.reserve(size, pull));
  }

  private async reserve<T>(size: number, pull: () => Promise<T>): Promise<T> {
    this.reservedBytes += size;
    try {
      const { bavail, bsize } = await statfs(this.folder);
      const free = bavail * bsize;
      if (free < this.reservedBytes + RESERVED_BYTES) throw this.tooSmall(size, free);
      return await pull();
    } finally {
      this.reservedBytes -= size;
    }
  }

  private tooSmall(size: number, free: number): DiskError {
    return new DiskError(
      `a result of ${size} bytes does not fit: ${free} bytes are free in ${this.folder}`,
      FREE_SPACE_ADVICE,
    );
  }
}
