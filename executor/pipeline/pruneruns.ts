import { closeSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isFileLocked } from "../run/record/filelock.js";
import { listScheduledRuns, scheduledRunsFolder } from "./cronlock.js";
import type { Pipeline, RetentionPolicy } from "./pipeline.js";
import { replayPipeline } from "./previousruns.js";

/** What a pipeline's run directory holds beside its steps. */
const PIPELINE_FILES = ["journal.ndjson", "pipeline.yaml", "summary.json", "summary.json.partial"];

/**
 * Removes scheduled runs that are too many or too old: those that have come to their end, and hold nothing but what muster put
 * there. Answers the names of those that are gone, and of those that were left because of something else in them. `now`: milliseconds.
 */
export function pruneRuns(
  pipeline: Pipeline,
  keep: RetentionPolicy,
  now: number,
): { removed: string[]; left: string[] } {
  const finished = listScheduledRuns(pipeline).filter((name) =>
    isFinished(join(scheduledRunsFolder(pipeline), name), pipeline),
  );
  const old =
    "runs" in keep
      ? finished.slice(0, Math.max(0, finished.length - keep.runs))
      : finished.filter((name) => now - readEndTime(join(scheduledRunsFolder(pipeline), name)) > keep.seconds * 1000);
  const left = old.filter((name) => !hasOnlyMusterFiles(join(scheduledRunsFolder(pipeline), name)));
  const removed = old.filter((name) => !left.includes(name));
  for (const name of removed) rmSync(join(scheduledRunsFolder(pipeline), name), { recursive: true });
  return { removed, left };
}

function isFinished(path: string, pipeline: Pipeline): boolean {
  const past = replayPipeline(path);
  if (past?.header?.name !== pipeline.name || (past.finalState !== "complete" && past.finalState !== "partial"))
    return false;
  const fd = openSync(join(path, "journal.ndjson"), "r");
  try {
    return !isFileLocked(fd);
  } finally {
    closeSync(fd);
  }
}

function readEndTime(path: string): number {
  return statSync(join(path, "journal.ndjson")).mtimeMs;
}

function hasOnlyMusterFiles(path: string): boolean {
  const steps = replayPipeline(path)?.header?.steps ?? [];
  return readdirSync(path).every(
    (name) => PIPELINE_FILES.includes(name) || steps.includes(name.replace(/\.partial$/, "")),
  );
}
