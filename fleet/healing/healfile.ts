import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InvalidFileError, MusterError } from "../../schemas/errors.js";
import { writeFileDurable } from "../../schemas/filewrites.js";
import { tryLockFile } from "../filelock.js";
import { formatHealRecords, type HealRecords, type NodeRecord, parseHealRecords } from "./healrecord.js";

/** Returns the path of the records of healing beside the inventory file `inventory`. */
export function healFilePath(inventory: string): string {
  return join(dirname(inventory), ".muster-heal.json");
}

/** Reads the records of healing in `file`; none where there is no such file. Throws InvalidFile for a damaged one. */
export function readHealRecords(file: string): HealRecords {
  const records = existsSync(file) ? parseHealRecords(readFileSync(file, "utf8")) : new Map();
  if (records !== undefined) return records;
  const hint = "remove it: then healings of the last 24 hours are not known, and nodes may be healed more often";
  throw new InvalidFileError([{ file, message: "does not hold healings", hint }]);
}

/** The records of healing, while this process alone may heal nodes of an inventory. */
export interface HealStore {
  readonly records: HealRecords;
  /** Replaces the record of a node. It is on disk when this returns. Does nothing after `close`: the file may be another process's then. */
  set(node: string, record: NodeRecord): void;
  /** Lets others heal. */
  close(): void;
}

/**
 * Takes the lock on healing the nodes of the inventory file `inventory`, which the kernel releases when this process ends. Returns undefined
 * where another process has it. Throws InvalidFile as `readHealRecords` does, and NO_LOCK (69).
 */
export function openHealStore(inventory: string): HealStore | undefined {
  const fd = openSync(join(dirname(inventory), ".muster-heal.lock"), "a", 0o644);
  try {
    if (!tryLockFile(fd)) {
      closeSync(fd);
      return undefined;
    }
    return new LockedHealStore(healFilePath(inventory), fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

class LockedHealStore implements HealStore {
  private readonly nodes: Map<string, NodeRecord>;
  private isClosed = false;

  constructor(
    private readonly file: string,
    private readonly lock: number,
  ) {
    this.nodes = new Map(readHealRecords(file));
  }

  get records(): HealRecords {
    return this.nodes;
  }

  set(node: string, record: NodeRecord): void {
    if (this.isClosed || JSON.stringify(this.nodes.get(node)) === JSON.stringify(record)) return;
    this.nodes.set(node, record);
    writeFileDurable(this.file, formatHealRecords(this.nodes));
  }

  close(): void {
    if (!this.isClosed) closeSync(this.lock);
    this.isClosed = true;
  }
}

/** Creates the error (HELD, exit 75) for healing that another process does. */
export function createHealHeldError(inventory: string): MusterError {
  return new MusterError("HELD", `another muster heals the nodes of ${inventory} now`, {
    next: "Wait until it has finished: a run heals by itself.",
  });
}
