import type { Source } from "./source.js";

export type FileKind = "inventory" | "job" | "jobs-file" | "pipeline";

/** Detects the kind of a file by a key that only files of that kind have; undefined if it has no such key. */
export function detectFileKind(source: Source): FileKind | undefined {
  if (source.get(["jobs"]) !== undefined && source.get(["kind"]) === undefined) return "jobs-file";
  if (source.get(["nodes"]) !== undefined) return "inventory";
  if (source.get(["kind"]) === "pipeline") return "pipeline";
  if (source.get(["steps"]) !== undefined && source.get(["kind"]) === undefined) return "pipeline";
  const marks = ["kind", "range", "tasks", "matrix", "shards", "script", "command"];
  return marks.some((key) => source.get([key]) !== undefined) ? "job" : undefined;
}
