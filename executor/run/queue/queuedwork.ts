import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";
import { findIdentityChanges } from "../record/jobidentity.js";
import { RunReplay, replayRun } from "../record/replay.js";
import { rejectOtherRun } from "../record/runlock.js";
import { QueueFollower } from "./queuefollower.js";
import { rejectOtherQueue, rejectUnknownParams } from "./queueowner.js";

/**
 * Gives the job of a queue the tasks that the run directory `path` has for it, to plan a run; nothing is changed there. Returns the units that
 * need no more work, because they are done or cancelled. Throws OTHER_RUN (65) where a run would be refused, and JOURNAL_DAMAGED (65).
 */
export function loadQueuedTasks(path: string, job: Job): IntervalSet {
  const replay = existsSync(join(path, "journal.ndjson")) ? replayRun(path) : new RunReplay();
  const { header } = replay;
  if (header === undefined) rejectOtherQueue(path, job);
  else rejectOtherRun(path, findIdentityChanges(header, job, header.inputs));
  const changes = new QueueFollower(path, job, new Map()).read();
  if (header === undefined) rejectUnknownParams(path, job, changes);
  const settled = new IntervalSet();
  for (const [start, end] of replay.settledUnits) settled.add(start, end);
  for (const change of changes) if (change.type === "cancelled") settled.add(change.unit, change.unit + 1n);
  return settled;
}
