import { resolve } from "node:path";
import { parseDuration } from "../../schemas/quantity.js";
import { parseSchedule, type Schedule } from "../cron/expression.js";
import type { Path, Reader } from "../job/reader.js";
import type { Keep, Overlap, Pipeline } from "./pipeline.js";

/** How a pipeline's scheduled runs are started and kept. Problems are noted. */
export function readScheduling(reader: Reader): Pick<Pipeline, "schedule" | "overlap" | "keep" | "metrics"> {
  const metrics = reader.text(["metrics"]);
  return {
    metrics: metrics === undefined ? undefined : resolve(reader.folder, metrics),
    schedule: readSchedule(reader, []),
    overlap: (reader.text(["overlap"]) as Overlap | undefined) ?? "skip",
    keep: readKeep(reader),
  };
}

/** The `schedule` at `path`; undefined, and noted where cron could not read it. */
export function readSchedule(reader: Reader, path: Path): Schedule | undefined {
  const text = reader.text([...path, "schedule"]);
  if (text === undefined) return undefined;
  const parsed = parseSchedule(text);
  if (parsed.ok) return parsed.schedule;
  const what = [...path, "schedule"].join(".");
  reader.fault([...path, "schedule"], `${what}: ${parsed.message}`, parsed.hint);
  return undefined;
}

function readKeep(reader: Reader): Keep | undefined {
  const value = reader.source.get(["keep"]);
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 1) return { runs: value };
  const span = typeof value === "string" && /[a-z]$/.test(value) ? parseDuration(value) : undefined;
  if (span?.ok) return { seconds: span.value };
  reader.fault(["keep"], "keep must be a number of runs of at least 1, or a span of time like 30d");
  return undefined;
}
