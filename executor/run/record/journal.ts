import { closeSync, fstatSync, ftruncateSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { MusterError } from "../../../schemas/errors.js";
import { fsyncFile, writeAll } from "../../../schemas/filewrites.js";
import { failpoint } from "../failpoint.js";
import type { JournalEntry } from "./journalentry.js";

/** How much of a journal is read at a time. */
const READ_BLOCK_BYTES = 1 << 20;
/** How much is read to find the last entry, or the first ones. Only a failure with a very long message is longer. */
const PEEK_BYTES = 64 << 10;

/**
 * A write-ahead log: an append-only file with one record a line, of a sequence number, an entry, and a CRC-32 over both. A torn last
 * record, which a crash leaves, is truncated when the file is opened; damage anywhere else is an error.
 */
export class Journal<E extends object = JournalEntry> {
  private pending: string[] = [];
  private syncedRecords: number;
  private failure: { error: unknown } | undefined;

  private constructor(
    private readonly fd: number,
    private sequence: number,
    /** Bytes of the file that are known to be on disk. */
    private syncedBytes: number,
    private readonly sync: (fd: number) => Promise<void>,
  ) {
    this.syncedRecords = sequence;
  }

  /**
   * Reads the journal in the open file `fd`, calls `visit` with every entry in order, and truncates a torn last record. The caller
   * holds the lock on the file (see filelock.ts). Throws JOURNAL_DAMAGED (65), which names the record.
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

  /**
   * The same for a journal that is known to begin with the whole records of `known`: they are not read again, and not passed to `visit`.
   */
  static resumeAfter<E extends object>(
    fd: number,
    file: string,
    known: JournalLength,
    visit: (entry: E) => void,
  ): Journal<E> {
    const { records, length } = readEntries(fd, file, visit, known);
    if (length < fstatSync(fd).size) ftruncateSync(fd, length);
    return new Journal<E>(fd, records, length, fsyncFile);
  }

  /** How long the part of the journal is that is on disk. */
  get length(): JournalLength {
    return { records: this.syncedRecords, length: this.syncedBytes };
  }

  /** Adds an entry, which the next `flush` writes. */
  add(entry: E): void {
    this.pending.push(encodeEntry(++this.sequence, entry));
  }

  /**
   * Writes and fsyncs every entry that was added. After an error it rejects with that error forever: the kernel may have dropped
   * the pages of a failed fsync, so nothing may be written after them, and nothing written since the last fsync may be trusted.
   */
  async flush(): Promise<void> {
    if (this.failure !== undefined) throw this.failure.error;
    if (this.pending.length === 0) return;
    const bytes = Buffer.from(this.pending.join(""));
    const records = this.sequence;
    this.pending = [];
    try {
      writeAll(this.fd, bytes);
      failpoint("recorded");
      await this.sync(this.fd);
      this.syncedBytes += bytes.length;
      this.syncedRecords = records;
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
      // Harmless: a torn record is truncated by the next reader, and a whole one states a fact, whether or not it was synced.
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** How many whole records there are, and how many bytes they take. */
export interface JournalLength {
  readonly records: number;
  readonly length: number;
}

/**
 * Calls `visit` with every entry of the journal in the open file `fd` after those of `known`, without changing it, and in constant memory.
 * Returns the length of the journal; the rest of the file is a torn last record. Throws JOURNAL_DAMAGED (65).
 */
export function readEntries<E extends object = JournalEntry>(
  fd: number,
  file: string,
  visit: (entry: E) => void,
  known: JournalLength = { records: 0, length: 0 },
): JournalLength {
  let { records } = known;
  const length = visitLines(fd, known.length, (line, offset, last) => {
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

/** Returns the last entry; undefined if there is none, or if the file does not end with a whole record that can be peeked at. */
export function readLastEntry(fd: number): JournalEntry | undefined {
  const { size } = fstatSync(fd);
  const from = Math.max(0, size - PEEK_BYTES);
  const lines = readTextAt(fd, from, size - from).split("\n");
  const line = lines.at(-2);
  return line === undefined || lines.at(-1) !== "" ? undefined : decodeEntry(line);
}

/** Returns the first entries of the journal, as many as lie within the first 64 KiB. */
export function readFirstEntries(fd: number): JournalEntry[] {
  const lines = readTextAt(fd, 0, PEEK_BYTES).split("\n").slice(0, -1);
  return lines.map((line) => decodeEntry(line)).filter((entry) => entry !== undefined);
}

function readTextAt(fd: number, from: number, length: number): string {
  const bytes = Buffer.alloc(length);
  return bytes.toString("utf8", 0, readSync(fd, bytes, 0, length, from));
}

function encodeEntry(sequence: number, entry: object): string {
  const body = `{"n":${sequence},${JSON.stringify(entry).slice(1, -1)}`;
  return `${body},"crc":"${checksum(body)}"}\n`;
}

/** Returns the entry in a line with its sequence number `n`; undefined if the line is torn or damaged. */
export function decodeEntry<E extends object = JournalEntry>(line: string): (E & { n: number }) | undefined {
  const at = line.lastIndexOf(',"crc":"');
  if (at < 0 || line.slice(at) !== `,"crc":"${checksum(line.slice(0, at))}"}`) return undefined;
  return JSON.parse(line) as E & { n: number };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}

/** Calls `accept` with each line from the byte `start` on until it returns false. Returns where the last accepted line ends. */
function visitLines(
  fd: number,
  start: number,
  accept: (line: string, offset: number, last: boolean) => boolean,
): number {
  const size = fstatSync(fd).size;
  /** The line so far, if it began in an earlier block. */
  let parts: Buffer[] = [];
  let accepted = start;
  for (let position = start; position < size; ) {
    const block = Buffer.alloc(Math.min(READ_BLOCK_BYTES, size - position));
    const text = block.subarray(0, readSync(fd, block, 0, block.length, position));
    if (text.length === 0) break;
    let from = 0;
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, from)) {
      const line = parts.length === 0 ? text.subarray(from, end) : Buffer.concat([...parts, text.subarray(from, end)]);
      const next = accepted + line.length + 1;
      if (!accept(line.toString("utf8"), accepted, next === size)) return accepted;
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
  return new MusterError("JOURNAL_DAMAGED", `${file}: record ${record} (at byte ${offset}) is damaged`, {
    next: "The results before it are safe in results/. Start a new run beside this one with --fresh.",
  });
}
