import { resolve } from "node:path";
import { parseDuration } from "../../schemas/quantity.js";
import { type CronSchedule, parseSchedule } from "../cron/expression.js";
import { readSeconds } from "../job/jobsettings.js";
import type { JobReader, KeyPath } from "../job/reader.js";
import type { OverlapPolicy, Pipeline, RetentionPolicy } from "./pipeline.js";

/** Reads how scheduled runs of a pipeline are started and retained. Problems are reported to `reader`. */
export function readScheduleConfig(
  reader: JobReader,
): Pick<Pipeline, "schedule" | "overlap" | "waitForNodesSeconds" | "retention" | "metrics"> {
  const metrics = reader.text(["metrics"]);
  return {
    metrics: metrics === undefined ? undefined : resolve(reader.folder, metrics),
    schedule: readSchedule(reader, []),
    overlap: (reader.text(["overlap"]) as OverlapPolicy | undefined) ?? "skip",
    waitForNodesSeconds: readSeconds(reader, ["wait_for_nodes"]),
    retention: readRetention(reader),
  };
}

/** Reads the `schedule` at `path`. Returns undefined where there is none, or where it is invalid, which is reported to `reader`. */
export function readSchedule(reader: JobReader, path: KeyPath): CronSchedule | undefined {
  const text = reader.text([...path, "schedule"]);
  if (text === undefined) return undefined;
  const parsed = parseSchedule(text);
  if (parsed.ok) return parsed.schedule;
  const what = [...path, "schedule"].join(".");
  reader.reportAt([...path, "schedule"], `${what}: ${parsed.message}`, parsed.hint);
  return undefined;
}

function readRetention(reader: JobReader): RetentionPolicy | undefined {
  const value = reader.source.get(["keep"]);
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 1) return { runs: value };
  const duration = typeof value === "string" && /[a-z]$/.test(value) ? parseDuration(value) : undefined;
  if (duration?.ok) return { seconds: duration.value };
  reader.reportAt(["keep"], "keep must be a number of runs of at least 1, or a duration such as 30d");
  return undefined;
}
