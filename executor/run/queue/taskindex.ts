import { hash } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import type { JournalLength } from "../record/journal.js";

const MAGIC = Buffer.from("MUSTERQ2");
const NO_MAGIC = Buffer.alloc(MAGIC.length);
const HEADER_BYTES = 128;
const HASH_BYTES = 16;
const ENTRY_BYTES = 2 * HASH_BYTES;
const FIRST_CAPACITY = 1024;
const GROWTH = 4;
/** The end of the queue file up to which the index reaches: the checksum of a record. */
const TAIL_BYTES = 16;
const PRIVATE_MODE = 0o600;

/** What the index says beside the tasks: how far it reaches, and what is known of the queue up to there. */
export interface IndexedState extends JournalLength {
  readonly isClosed: boolean;
  readonly taskCount: number;
}

const NOTHING: IndexedState = { records: 0, length: 0, isClosed: false, taskCount: 0 };

/**
 * The tasks of a queue file by id: an open-addressing hash table in a file of its own, so that adding one task to a hundred thousand reads
 * a few bytes. It is derived: one that does not fit the queue file, or was written before the machine's last boot, is built again. The
 * lock on the queue file protects it.
 */
export class TaskIndex {
  private constructor(
    private readonly file: string,
    private fd: number,
    private capacity: number,
    private count: number,
    /** How far it reached when it was opened. */
    readonly state: IndexedState,
  ) {}

  /** Whether its header says that it fits the queue file. */
  private isMarkedClean = true;

  /** Opens the index `file` of the open queue file `queue`. An index that cannot be used is replaced by an empty one. */
  static open(file: string, queue: number): TaskIndex {
    const fd = openSync(file, "a", PRIVATE_MODE);
    closeSync(fd);
    const opened = openSync(file, "r+");
    const header = readHeader(opened);
    if (header !== undefined && fits(header, queue))
      return new TaskIndex(file, opened, header.capacity, header.taskCount, header);
    closeSync(opened);
    return new TaskIndex(file, createTable(file, FIRST_CAPACITY).fd, FIRST_CAPACITY, 0, NOTHING);
  }

  /** Returns the hash of the content of the task with this id; undefined = there is none. */
  find(id: string): string | undefined {
    const { entry, isThere } = this.locate(hashOf(id));
    return isThere ? entry.toString("hex", HASH_BYTES) : undefined;
  }

  /** Adds a task. `content`: as `hashContent` returns it. */
  add(id: string, content: string): void {
    this.markUnclean();
    if (2 * (this.count + 1) > this.capacity) this.grow();
    const key = hashOf(id);
    const { at, isThere } = this.locate(key);
    writeSync(this.fd, Buffer.concat([key, Buffer.from(content, "hex")]), 0, ENTRY_BYTES, at);
    if (!isThere) this.count++;
  }

  /** Records that the index reaches as far as the queue file now does. */
  save(queue: number, reached: JournalLength & { isClosed: boolean }): void {
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.write(readBootId(), 8, "latin1");
    header.writeBigUInt64LE(BigInt(reached.length), 48);
    header.writeUInt32LE(reached.records, 56);
    header.writeUInt32LE(this.capacity, 60);
    header.writeUInt32LE(this.count, 64);
    header.writeUInt8(reached.isClosed ? 1 : 0, 68);
    readTail(queue, reached.length).copy(header, 72);
    writeSync(this.fd, header, 0, HEADER_BYTES, 0);
    this.isMarkedClean = true;
  }

  /** Where this process is killed before `save`, the number of tasks in the header would be too low: the index is built again then. */
  private markUnclean(): void {
    if (!this.isMarkedClean) return;
    writeSync(this.fd, NO_MAGIC, 0, NO_MAGIC.length, 0);
    this.isMarkedClean = false;
  }

  get taskCount(): number {
    return this.count;
  }

  /** Removes the index, so that it is built again. */
  discard(): void {
    rmSync(this.file, { force: true });
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Returns the entry with this key, or the free one where it belongs. Linear probing. */
  private locate(key: Buffer): { at: number; entry: Buffer; isThere: boolean } {
    const entry = Buffer.alloc(ENTRY_BYTES);
    for (let slot = key.readUInt32LE(0) % this.capacity; ; slot = (slot + 1) % this.capacity) {
      const at = HEADER_BYTES + slot * ENTRY_BYTES;
      entry.fill(0);
      readSync(this.fd, entry, 0, ENTRY_BYTES, at);
      if (entry.compare(key, 0, HASH_BYTES, 0, HASH_BYTES) === 0) return { at, entry, isThere: true };
      if (isFree(entry, 0)) return { at, entry, isThere: false };
    }
  }

  /** Replaces the table by a larger one. Its header is that of an empty index until the next `save`. */
  private grow(): void {
    const before = Buffer.alloc(this.capacity * ENTRY_BYTES);
    readSync(this.fd, before, 0, before.length, HEADER_BYTES);
    const capacity = GROWTH * this.capacity;
    const { fd, table } = createTable(this.file, capacity);
    for (let at = 0; at < before.length; at += ENTRY_BYTES) {
      if (isFree(before, at)) continue;
      let slot = before.readUInt32LE(at) % capacity;
      while (!isFree(table, slot * ENTRY_BYTES)) slot = (slot + 1) % capacity;
      before.copy(table, slot * ENTRY_BYTES, at, at + ENTRY_BYTES);
    }
    writeSync(fd, table, 0, table.length, HEADER_BYTES);
    closeSync(this.fd);
    this.fd = fd;
    this.capacity = capacity;
  }
}

/** Returns the hash of a stored task, by which two tasks of one id are compared. */
export function hashContent(text: string): string {
  return hash("sha256", text, "hex").slice(0, 2 * HASH_BYTES);
}

function hashOf(id: string): Buffer {
  return Buffer.from(hash("sha256", id, "hex").slice(0, 2 * HASH_BYTES), "hex");
}

function isFree(table: Buffer, at: number): boolean {
  for (let byte = at; byte < at + HASH_BYTES; byte++) if (table[byte] !== 0) return false;
  return true;
}

/** Puts an empty table in the place of `file`. */
function createTable(file: string, capacity: number): { fd: number; table: Buffer } {
  const partial = `${file}.part`;
  const fd = openSync(partial, "w+", PRIVATE_MODE);
  const table = Buffer.alloc(capacity * ENTRY_BYTES);
  writeSync(fd, Buffer.alloc(HEADER_BYTES));
  writeSync(fd, table, 0, table.length, HEADER_BYTES);
  renameSync(partial, file);
  return { fd, table };
}

/** Returns undefined where the file has no header of this boot: what the kernel had not written out at a crash may be missing. */
function readHeader(fd: number): (IndexedState & { capacity: number; tail: Buffer }) | undefined {
  const header = Buffer.alloc(HEADER_BYTES);
  if (readSync(fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
  const capacity = header.readUInt32LE(60);
  const isOurs = header.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) === 0;
  if (!isOurs || header.toString("latin1", 8, 44) !== readBootId()) return undefined;
  if (capacity === 0 || fstatSync(fd).size < HEADER_BYTES + capacity * ENTRY_BYTES) return undefined;
  return {
    length: Number(header.readBigUInt64LE(48)),
    records: header.readUInt32LE(56),
    capacity,
    taskCount: header.readUInt32LE(64),
    isClosed: header.readUInt8(68) === 1,
    tail: header.subarray(72, 72 + TAIL_BYTES),
  };
}

/** Whether the index is of this queue file: it may have been cut, or replaced. */
function fits({ length, tail }: { length: number; tail: Buffer }, queue: number): boolean {
  return fstatSync(queue).size >= length && length > 0 && readTail(queue, length).equals(tail);
}

function readTail(queue: number, length: number): Buffer {
  const tail = Buffer.alloc(TAIL_BYTES);
  readSync(queue, tail, 0, TAIL_BYTES, Math.max(0, length - TAIL_BYTES));
  return tail;
}

function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 36);
}
