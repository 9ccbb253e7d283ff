import { closeSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isHeld } from "../run/record/lock.js";
import { pastOf } from "./past.js";
import type { Keep, Pipeline } from "./pipeline.js";
import { datedRuns, runsOf } from "./scheduled.js";

/** What a pipeline's run directory holds beside its steps. */
const OWN = ["journal.ndjson", "pipeline.yaml", "summary.json", "summary.json.partial"];

/**
 * Removes scheduled runs that are too many or too old: those that have come to their end, and hold nothing but what muster put
 * there. Answers the names of those that are gone, and of those that were left because of something else in them. `now`: milliseconds.
 */
export function prune(pipeline: Pipeline, keep: Keep, now: number): { removed: string[]; left: string[] } {
  const finished = datedRuns(pipeline).filter((name) => isFinished(join(runsOf(pipeline), name), pipeline));
  const old =
    "runs" in keep
      ? finished.slice(0, Math.max(0, finished.length - keep.runs))
      : finished.filter((name) => now - endOf(join(runsOf(pipeline), name)) > keep.seconds * 1000);
  const left = old.filter((name) => !isOurs(join(runsOf(pipeline), name)));
  const removed = old.filter((name) => !left.includes(name));
  for (const name of removed) rmSync(join(runsOf(pipeline), name), { recursive: true });
  return { removed, left };
}

function isFinished(path: string, pipeline: Pipeline): boolean {
  const past = pastOf(path);
  if (past?.pipeline?.name !== pipeline.name || (past.closed !== "complete" && past.closed !== "partial")) return false;
  const fd = openSync(join(path, "journal.ndjson"), "r");
  try {
    return !isHeld(fd);
  } finally {
    closeSync(fd);
  }
}

function endOf(path: string): number {
  return statSync(join(path, "journal.ndjson")).mtimeMs;
}

function isOurs(path: string): boolean {
  const steps = pastOf(path)?.pipeline?.steps ?? [];
  return readdirSync(path).every((name) => OWN.includes(name) || steps.includes(name.replace(/\.partial$/, "")));
}
