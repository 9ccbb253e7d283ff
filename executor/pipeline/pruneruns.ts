import { closeSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isFileLocked } from "../../fleet/filelock.js";
import { listScheduledRuns, scheduledRunsFolder } from "./cronlock.js";
import type { Pipeline, RetentionPolicy } from "./pipeline.js";
import { isRunOf, replayPipeline } from "./previousruns.js";

/** Files in the run directory of a pipeline, apart from the folders of its steps. */
const PIPELINE_FILES = ["journal.ndjson", "pipeline.yaml", "summary.json", "summary.json.partial"];

/**
 * Removes finished scheduled runs that exceed the retention policy and hold only muster's files. Returns the names of the runs that were
 * removed, and of those that were left because they hold other files. `now` is Unix time in milliseconds.
 */
export function pruneRuns(
  pipeline: Pipeline,
  retention: RetentionPolicy,
  now: number,
): { removed: string[]; left: string[] } {
  const finished = listScheduledRuns(pipeline).filter((name) =>
    isFinished(join(scheduledRunsFolder(pipeline), name), pipeline),
  );
  const old =
    "runs" in retention
      ? finished.slice(0, Math.max(0, finished.length - retention.runs))
      : finished.filter(
          (name) => now - readEndTime(join(scheduledRunsFolder(pipeline), name)) > retention.seconds * 1000,
        );
  const left = old.filter((name) => !hasOnlyMusterFiles(join(scheduledRunsFolder(pipeline), name)));
  const removed = old.filter((name) => !left.includes(name));
  for (const name of removed) rmSync(join(scheduledRunsFolder(pipeline), name), { recursive: true });
  return { removed, left };
}

function isFinished(path: string, pipeline: Pipeline): boolean {
  const replay = replayPipeline(path);
  if (replay?.header === undefined || !isRunOf(replay.header, pipeline)) return false;
  if (replay.finalState !== "complete" && replay.finalState !== "partial") return false;
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
