import type { JournalEntry } from "./journalentry.js";

/** Chunks beyond this are not remembered: the logs of their next attempt replace those of the last one. */
const MAX_CHUNKS = 100_000;

/** Remembers, for chunks without a result, which attempt the files in logs/ are of. */
export class LoggedAttempts {
  private readonly numbers = new Map<string, number>();

  /** Applies a record of the journal. */
  apply(entry: JournalEntry): void {
    if (entry.e === "tried" || (entry.e === "log" && entry.lostLog === undefined))
      this.record(entry.chunk, entry.attempt);
    else if (entry.e === "done") this.forget(entry.chunk);
  }

  /** Records that the logs of this attempt lie in logs/. */
  record(chunk: string, attempt: number): void {
    if (this.numbers.size < MAX_CHUNKS || this.numbers.has(chunk)) this.numbers.set(chunk, attempt);
  }

  /** Returns the number of the attempt whose logs lie in logs/; undefined where none of the chunk's attempts has failed. */
  find(chunk: string): number | undefined {
    return this.numbers.get(chunk);
  }

  forget(chunk: string): void {
    this.numbers.delete(chunk);
  }
}
