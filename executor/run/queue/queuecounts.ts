import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { readEntries } from "../record/journal.js";
import { QUEUE_FILE, type QueueRecord } from "./queuerecord.js";

/** Lists the tasks of a queue whose cancellation was asked for, each once. */
export function listCancelledTasks(path: string): string[] {
  const ids = new Set<string>();
  readQueueRecords(path, (record) => {
    if (record.e === "cancel") for (const id of record.ids) ids.add(id);
  });
  return [...ids];
}

/** What is in a queue. `cancelled`: how many of the tasks were asked to be cancelled. */
export interface QueueCounts {
  readonly accepted: bigint;
  readonly cancelled: bigint;
  readonly isOpen: boolean;
}

/** Counts the tasks of the queue of the run directory `path`; undefined where there is none. */
export function countQueue(path: string): QueueCounts | undefined {
  let [accepted, isOpen, exists] = [0n, true, false];
  const cancelled = new Set<string>();
  readQueueRecords(path, (record) => {
    exists = true;
    if (record.e === "tasks") accepted += BigInt(record.tasks.length);
    if (record.e === "cancel") for (const id of record.ids) cancelled.add(id);
    if (record.e === "close") isOpen = false;
  });
  return exists ? { accepted, cancelled: BigInt(cancelled.size), isOpen } : undefined;
}

/** Calls `visit` with each record of the queue of the run directory `path`, if it has one. Throws JOURNAL_DAMAGED (65). */
export function readQueueRecords(path: string, visit: (record: QueueRecord) => void): void {
  const file = join(path, QUEUE_FILE);
  if (!existsSync(file)) return;
  const fd = openSync(file, "r");
  try {
    readEntries<QueueRecord>(fd, file, visit);
  } finally {
    closeSync(fd);
  }
}
