import type { Failure } from "../../schedule/events.js";
import { replayRun } from "./replay.js";
import { findHaltingFailures, readSummary } from "./runsummary.js";

/** What the journal of a run says about one chunk and its logs. */
export interface ChunkRecord {
  isDone: boolean;
  /** The number of its last attempt that has ended, at least; 0 = none has. */
  lastAttempt: number;
  /** Why logs of its attempts are lost, by the number of the attempt. */
  lostLogs: Map<number, string>;
}

/** Reads the journal in the run directory `path`. Throws JOURNAL_DAMAGED (65), or the error of the file system. */
export function readChunkRecord(path: string, chunk: string): ChunkRecord {
  const record: ChunkRecord = { isDone: false, lastAttempt: 0, lostLogs: new Map() };
  replayRun(path, (entry) => {
    if (entry.e === "done" && entry.chunk === chunk) {
      record.isDone = true;
      record.lastAttempt++;
    } else if ((entry.e === "tried" || entry.e === "log") && entry.chunk === chunk) {
      record.lastAttempt = Math.max(record.lastAttempt, entry.attempt);
      if (entry.e === "log" && entry.lostLog !== undefined) record.lostLogs.set(entry.attempt, entry.lostLog);
    }
  });
  return record;
}

/**
 * Returns the failed chunks of the run in the directory `path` that have no result since, in the order of their failures, and those whose
 * failures halted it.
 */
export function readFailedChunks(path: string): Failure[] {
  const failures = new Map<string, Failure>();
  replayRun(path, (entry) => {
    if (entry.e === "failed") failures.set(entry.failure.chunk, entry.failure);
    else if (entry.e === "done") failures.delete(entry.chunk);
  });
  const failed = [...failures.values()];
  return [...failed, ...findHaltingFailures(readSummary(path), failed)];
}

/** Returns how many attempts of the run in the directory `path` have lost logs, and the first reason. */
export function countLostLogs(path: string): { count: number; reason?: string } {
  const lost: { count: number; reason?: string } = { count: 0 };
  replayRun(path, (entry) => {
    if (entry.e !== "log" || entry.lostLog === undefined) return;
    lost.count++;
    lost.reason ??= entry.lostLog;
  });
  return lost;
}
