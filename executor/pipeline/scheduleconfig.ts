import { resolve } from "node:path";
import { parseDuration } from "../../schemas/quantity.js";
import { type CronSchedule, parseSchedule } from "../cron/expression.js";
import type { JobReader, KeyPath } from "../job/reader.js";
import type { OverlapPolicy, Pipeline, RetentionPolicy } from "./pipeline.js";

/** How a pipeline's scheduled runs are started and kept. Problems are noted. */
export function readScheduleConfig(
  reader: JobReader,
): Pick<Pipeline, "schedule" | "overlap" | "retention" | "metrics"> {
  const metrics = reader.text(["metrics"]);
  return {
    metrics: metrics === undefined ? undefined : resolve(reader.folder, metrics),
    schedule: readSchedule(reader, []),
    overlap: (reader.text(["overlap"]) as OverlapPolicy | undefined) ?? "skip",
    retention: readRetention(reader),
  };
}

/** The `schedule` at `path`; undefined, and noted where cron could not read it. */
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
  const value = reader.source.get(["retention"]);
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 1) return { runs: value };
  const span = typeof value === "string" && /[a-z]$/.test(value) ? parseDuration(value) : undefined;
  if (span?.ok) return { seconds: span.value };
  reader.reportAt(["retention"], "keep must be a number of runs of at least 1, or a span of time like 30d");
  return undefined;
}
