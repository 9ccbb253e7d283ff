import { closeSync, existsSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import type { FileContent } from "../record/filehashes.js";
import { readEntries } from "../record/journal.js";
import { QUEUE_FILE, type QueueRecord, restoreTask } from "./queuerecord.js";

/** What happened to a queue since it was read last, in order. */
export type QueueChange =
  /** The tasks [start, end) were accepted. */
  | { type: "added"; start: bigint; end: bigint }
  /** A task is to be cancelled. */
  | { type: "cancelled"; unit: bigint }
  /** `by`: why it closed by itself. */
  | { type: "closed"; by?: "idle" };

/** Reads the queue file of a run directory, as far as it is written, and adds its tasks to the job. */
export class QueueFollower {
  private known = { records: 0, length: 0 };
  private accepted = 0n;

  /** `contents`: gets the content of the files of tasks, by their paths on this machine. */
  constructor(
    private readonly path: string,
    private readonly job: Job,
    private readonly contents: Map<string, FileContent>,
  ) {}

  /** How many bytes were read. */
  get lengthBytes(): number {
    return this.known.length;
  }

  /**
   * Returns what is new; nothing where there is no file. A record that is not whole is read again the next time. Throws JOURNAL_DAMAGED
   * (65) for one that is damaged, and RESULTS_DAMAGED (65) where the file was cut, or its tasks have no program.
   */
  read(): QueueChange[] {
    const file = join(this.path, QUEUE_FILE);
    if (!existsSync(file)) return [];
    const records: QueueRecord[] = [];
    const fd = openSync(file, "r");
    try {
      const { size } = fstatSync(fd);
      if (size === this.known.length) return [];
      if (size < this.known.length) throw createDamageError(file, "it is shorter than it was");
      this.known = readEntries<QueueRecord>(fd, file, (record) => records.push(record), this.known);
      return records.flatMap((record) => this.apply(record));
    } catch (error) {
      throw error instanceof RangeError ? createDamageError(file, error.message) : error;
    } finally {
      closeSync(fd);
    }
  }

  private apply(record: QueueRecord): QueueChange[] {
    const queue = this.job.queue!;
    switch (record.e) {
      case "queue":
        return [];
      case "tasks": {
        const tasks = record.tasks.map((task) => restoreTask(this.path, task, this.contents));
        const start = this.accepted;
        this.accepted += BigInt(tasks.length);
        // The job may have been used with this queue before.
        if (this.accepted > queue.accepted) queue.accept(tasks);
        return [{ type: "added", start, end: this.accepted }];
      }
      case "cancel":
        return record.ids.flatMap((id): QueueChange[] => {
          const units = this.job.unitsOf(id);
          return units === undefined ? [] : [{ type: "cancelled", unit: units[0] }];
        });
      case "close":
        queue.close(record.by);
        return [{ type: "closed", ...(record.by === undefined ? {} : { by: record.by }) }];
      default:
        return record satisfies never;
    }
  }
}

function createDamageError(file: string, why: string): MusterError {
  return new MusterError("RESULTS_DAMAGED", `${file}: ${why}`, {
    next: "Restore what was there, or start a new run beside this one with --fresh.",
  });
}
