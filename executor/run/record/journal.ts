import { closeSync, fstatSync, fsync, ftruncateSync, readSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { MusterError } from "../../../schemas/errors.js";
import { failpoint } from "../failpoint.js";
import type { JournalEntry } from "./journalentry.js";

const fsyncFile = promisify(fsync);

/** Bytes read at a time when a journal is read back. */
const READ_BLOCK_BYTES = 1 << 20;

/**
 * An append-only file of records, one a line: a sequence number, the entry, and a CRC-32 over both. The cost of a record does
 * not depend on how many there are. A torn last record is cut off when the file is opened; damage before it is refused.
 */
export class Journal<E extends object = JournalEntry> {
  private pending: string[] = [];
  private failure: { error: unknown } | undefined;

  private constructor(
    private readonly fd: number,
    private sequence: number,
    /** Bytes that are on disk. */
    private syncedBytes: number,
    private readonly sync: (fd: number) => Promise<void>,
  ) {}

  /**
   * Goes on with the journal in the open file `fd` (which is ours alone: see lock.ts): reads it, calling `visit` with every
   * entry in order, and cuts off a torn last record. Throws a MusterError (JOURNAL_DAMAGED, exit 65) that names the record.
   */
  static resume<E extends object = JournalEntry>(
    fd: number,
    file: string,
    visit: (entry: E) => void,
    sync = fsyncFile,
  ): Journal<E> {
    const { records, length } = readEntries(fd, file, visit);
    if (length < fstatSync(fd).size) ftruncateSync(fd, length);
    return new Journal<E>(fd, records, length, sync);
  }

  /** Adds a record to what the next `flush` writes. */
  add(entry: E): void {
    this.pending.push(encodeEntry(++this.sequence, entry));
  }

  /**
   * Writes and fsyncs all that was added; when it resolves, that is on disk. Rejects when it is not, and from then on always:
   * after a failed fsync nobody knows what is on disk, so nothing may follow, and nothing of it may be believed later.
   */
  async flush(): Promise<void> {
    if (this.failure !== undefined) throw this.failure.error;
    if (this.pending.length === 0) return;
    const bytes = Buffer.from(this.pending.join(""));
    this.pending = [];
    try {
      writeAll(this.fd, bytes);
      failpoint("recorded");
      await this.sync(this.fd);
      this.syncedBytes += bytes.length;
    } catch (error) {
      this.failure = { error };
      this.truncateUnsynced();
      throw error;
    }
  }

  private truncateUnsynced(): void {
    try {
      ftruncateSync(this.fd, this.syncedBytes);
    } catch {
      // A torn record is cut off when the journal is read; a whole one that may not be on disk says what is true all the same.
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Reads a journal without changing it; memory does not grow with its length. Answers how much of it is whole. */
export function readEntries<E extends object = JournalEntry>(
  fd: number,
  file: string,
  visit: (entry: E) => void,
): { records: number; length: number } {
  let records = 0;
  const length = readLines(fd, (line, offset, last) => {
    const entry = decodeEntry<E>(line);
    if (entry?.n !== records + 1) {
      if (last) return false;
      throw createDamagedError(file, records + 1, offset);
    }
    records++;
    visit(entry);
    return true;
  });
  return { records, length };
}

export function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function encodeEntry(sequence: number, entry: object): string {
  const body = `{"n":${sequence},${JSON.stringify(entry).slice(1, -1)}`;
  return `${body},"crc":"${checksum(body)}"}\n`;
}

/** The record in a line, with its number `n`; undefined where the line is not whole. */
export function decodeEntry<E extends object = JournalEntry>(line: string): (E & { n: number }) | undefined {
  const at = line.lastIndexOf(',"crc":"');
  if (at < 0 || line.slice(at) !== `,"crc":"${checksum(line.slice(0, at))}"}`) return undefined;
  return JSON.parse(line) as E & { n: number };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}

/** Calls `use` for each line until it says false; answers how many bytes of the file the lines that it accepted take. */
function readLines(fd: number, use: (line: string, offset: number, last: boolean) => boolean): number {
  const size = fstatSync(fd).size;
  /** Of the line that has begun. */
  let parts: Buffer[] = [];
  let accepted = 0;
  for (let position = 0; position < size; ) {
    const block = Buffer.alloc(Math.min(READ_BLOCK_BYTES, size - position));
    const text = block.subarray(0, readSync(fd, block, 0, block.length, position));
    if (text.length === 0) break;
    let from = 0;
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, from)) {
      const line = parts.length === 0 ? text.subarray(from, end) : Buffer.concat([...parts, text.subarray(from, end)]);
      const next = accepted + line.length + 1;
      if (!use(line.toString("utf8"), accepted, next === size)) return accepted;
      accepted = next;
      parts = [];
      from = end + 1;
    }
    if (from < text.length) parts.push(text.subarray(from));
    position += text.length;
  }
  return accepted;
}

function createDamagedError(file: string, record: number, offset: number): MusterError {
  return new MusterError("JOURNAL_DAMAGED", 65, `${file}: record ${record} (at byte ${offset}) is damaged`, {
    next: "Results before it are safe in results/; start anew beside this run directory with --fresh.",
  });
}
