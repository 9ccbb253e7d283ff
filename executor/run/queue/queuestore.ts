import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { waitForFileLock } from "../../../fleet/filelock.js";
import { MusterError } from "../../../schemas/errors.js";
import { fsyncPath } from "../../../schemas/filewrites.js";
import { isJsonObject } from "../../../schemas/isjsonobject.js";
import { failpoint } from "../failpoint.js";
import { Journal } from "../record/journal.js";
import { rejectSpecialFiles } from "../record/specialfiles.js";
import { QUEUE_FILE, type QueueRecord, type StoredTask } from "./queuerecord.js";
import { hashContent, TaskIndex } from "./taskindex.js";

const INDEX_FILE = "queue.index";
/** Tasks may hold secrets of those who add them. */
const PRIVATE_MODE = 0o600;
/** How long another process may take to add its tasks. */
const LOCK_SECONDS = 60;

/** Whether a queue has a task: one of this id and content, or one of this id and another content. */
export type Membership = "new" | "same" | "other";

/**
 * The queue file of a run directory, open for adding. This process holds its lock, which is not that of the run: a coordinator may run, or
 * none. What `append` has written is on disk.
 */
export class QueueStore {
  private constructor(
    private readonly path: string,
    private readonly fd: number,
    private readonly journal: Journal<QueueRecord>,
    private readonly index: TaskIndex,
    private closed: boolean,
  ) {}

  /**
   * Opens and locks the queue of the run directory `path`, and creates both where they do not exist. `jobFile`: absolute. A torn last record
   * is cut off. Rejects with HELD (75) if another process has the lock for a minute, and with JOURNAL_DAMAGED or RESULTS_DAMAGED (65).
   */
  static async open(path: string, jobFile: string): Promise<QueueStore> {
    mkdirSync(path, { recursive: true });
    rejectSpecialFiles(path);
    const file = join(path, QUEUE_FILE);
    const fd = openSync(file, "a+", PRIVATE_MODE);
    try {
      await lock(fd, file);
      const index = TaskIndex.open(join(path, INDEX_FILE), fd);
      let { isClosed } = index.state;
      const visit = (record: QueueRecord) => {
        if (record.e === "close") isClosed = true;
        if (record.e === "tasks") for (const task of record.tasks) index.add(task.id, hashTask(task));
      };
      const journal = Journal.resumeAfter<QueueRecord>(fd, file, index.state, visit);
      const store = new QueueStore(path, fd, journal, index, isClosed);
      if (journal.length.records === 0) await store.begin(jobFile);
      return store;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Creates the queue of a run directory where there is none. Rejects as `open` does. */
  static async create(path: string, jobFile: string): Promise<void> {
    if (existsSync(join(path, QUEUE_FILE))) return;
    const store = await QueueStore.open(path, jobFile);
    store.close();
  }

  /** Whether no more tasks are accepted. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** The bytes of the queue file. */
  get lengthBytes(): number {
    return this.journal.length.length;
  }

  /** How many tasks were accepted. */
  get taskCount(): number {
    return this.index.taskCount;
  }

  membershipOf(task: StoredTask): Membership {
    const content = this.index.find(task.id);
    if (content === undefined) return "new";
    return content === hashTask(task) ? "same" : "other";
  }

  has(id: string): boolean {
    return this.index.find(id) !== undefined;
  }

  /** Appends a record. It is on disk when this resolves; where this rejects, the file is as it was. */
  async append(record: QueueRecord): Promise<void> {
    this.journal.add(record);
    await this.journal.flush();
    failpoint("accepted");
    if (record.e === "close") this.closed = true;
    if (record.e === "tasks") this.indexTasks(record.tasks);
  }

  /** The tasks are accepted whether or not the index can be written: it is built again where it is needed. */
  private indexTasks(tasks: readonly StoredTask[]): void {
    try {
      for (const task of tasks) this.index.add(task.id, hashTask(task));
    } catch {
      this.index.discard();
    }
  }

  /** Saves the index, and releases the lock. */
  close(): void {
    try {
      this.index.save(this.fd, { ...this.journal.length, isClosed: this.closed });
    } catch {
      // It is built again where it is needed.
    }
    this.index.close();
    this.journal.close();
  }

  /** Writes the first record. An empty journal makes the folder a run directory that is still to begin. */
  private async begin(jobFile: string): Promise<void> {
    closeSync(openSync(join(this.path, "journal.ndjson"), "a", PRIVATE_MODE));
    await this.append({ e: "queue", job: jobFile, at: new Date().toISOString() });
    for (const folder of [this.path, dirname(this.path)]) fsyncPath(folder);
  }
}

/** Returns a hash by which tasks of one id are compared. */
function hashTask(task: StoredTask): string {
  return hashContent(toCanonicalText(task));
}

/** Returns the JSON text of a value in which the order of keys makes no difference. */
export function toCanonicalText(value: object): string {
  return JSON.stringify(value, sortKeys);
}

/** A replacer for JSON.stringify: the order of keys is no content. */
function sortKeys(_: string, value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function lock(fd: number, file: string): Promise<void> {
  if (await waitForFileLock(fd, LOCK_SECONDS)) return;
  throw new MusterError("HELD", `another process has had the lock of ${file} for ${LOCK_SECONDS} s`, {
    next: `Find it with \`fuser -v ${file}\`: perhaps a \`muster add\` that is suspended. Then try again.`,
  });
}
