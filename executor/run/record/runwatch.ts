import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { isFileLocked } from "../../../fleet/filelock.js";
import { decodeEntry, readEntries } from "./journal.js";
import type { JournalEntry } from "./journalentry.js";
import { type LiveRun, readLiveRun } from "./liverun.js";
import { RunReplay } from "./replay.js";

/** How often the lock of the coordinator is looked at: each look starts a program. */
const LOCK_INTERVAL_MS = 1000;
const BLOCK_BYTES = 1 << 20;

/** Watches the run directory of a job: what its journal and live.json say, while a coordinator writes them or none does. */
export class RunWatch {
  readonly replay = new RunReplay();
  /** What runs, as the coordinator wrote last; undefined where none does, or where it has not written it yet. */
  live: LiveRun | undefined;
  /** Whether a coordinator is alive. */
  isActive = false;
  private offset = 0;
  private rest: Buffer = Buffer.alloc(0);
  private lockSeenMs = Number.NEGATIVE_INFINITY;

  private constructor(
    readonly path: string,
    private readonly fd: number,
  ) {}

  /** Calls `visit` with each record that there is. Throws JOURNAL_DAMAGED (65), or the error of the file system. */
  static open(path: string, visit: (entry: JournalEntry) => void): RunWatch {
    const file = join(path, "journal.ndjson");
    const watch = new RunWatch(path, openSync(file, "r"));
    try {
      const { length } = readEntries(watch.fd, file, (entry) => {
        watch.replay.apply(entry);
        visit(entry);
      });
      watch.offset = length;
      watch.look();
      return watch;
    } catch (error) {
      watch.close();
      throw error;
    }
  }

  /** Returns the records since the last call, and updates what is known of the run. */
  poll(): JournalEntry[] {
    const entries = this.readNew();
    for (const entry of entries) this.replay.apply(entry);
    this.look();
    return entries;
  }

  close(): void {
    closeSync(this.fd);
  }

  private look(): void {
    const { lastOpen, closeEntry } = this.replay;
    const isDue = performance.now() - this.lockSeenMs >= LOCK_INTERVAL_MS;
    if (closeEntry !== undefined || lastOpen === undefined) this.isActive = false;
    else if (isDue || !this.isActive) {
      this.lockSeenMs = performance.now();
      this.isActive = isFileLocked(this.fd);
    }
    this.live = this.isActive ? readLiveRun(this.path, lastOpen?.session ?? 0) : undefined;
  }

  /** A record that is not whole yet, or that its writer has withdrawn, is read again the next time. */
  private readNew(): JournalEntry[] {
    const { size } = fstatSync(this.fd);
    const entries: JournalEntry[] = [];
    while (this.offset < size) {
      const block = Buffer.alloc(Math.min(BLOCK_BYTES, size - this.offset));
      const count = readSync(this.fd, block, 0, block.length, this.offset);
      if (count === 0) break;
      this.rest = Buffer.concat([this.rest, block.subarray(0, count)]);
      this.offset += count;
      for (let end = this.rest.indexOf(10); end >= 0; end = this.rest.indexOf(10)) {
        const entry = decodeEntry(this.rest.toString("utf8", 0, end));
        if (entry !== undefined) entries.push(entry);
        this.rest = this.rest.subarray(end + 1);
      }
    }
    return entries;
  }
}
