import { replayRun } from "../record/replay.js";
import { listCancelledTasks } from "./queuecounts.js";

/** Which of some tasks of a queue need no more work: those that are done (or were stopped on request), and those that are cancelled. */
export interface SettledTasks {
  readonly done: readonly string[];
  readonly cancelled: readonly string[];
}

/** Returns which of these tasks of the run directory `path` are settled. Throws JOURNAL_DAMAGED (65), or the error of the file system. */
export function readSettledTasks(path: string, ids: readonly string[]): SettledTasks {
  if (ids.length === 0) return { done: [], cancelled: [] };
  const [done, cancelled] = [new Set<string>(), new Set(listCancelledTasks(path))];
  replayRun(path, (entry) => {
    if (entry.e === "done") done.add(entry.chunk);
    if (entry.e === "cancelled") cancelled.add(entry.chunk);
  });
  return {
    done: ids.filter((id) => done.has(id)),
    cancelled: ids.filter((id) => cancelled.has(id) && !done.has(id)),
  };
}
