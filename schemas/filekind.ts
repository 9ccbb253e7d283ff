import type { Source } from "./source.js";

export type FileKind = "inventory" | "job" | "jobs-file" | "pipeline";

/** What a file is, by the key that only such files have; undefined when it has none of them. */
export function detectFileKind(source: Source): FileKind | undefined {
  if (source.get(["jobs"]) !== undefined && source.get(["kind"]) === undefined) return "jobs-file";
  if (source.get(["nodes"]) !== undefined) return "inventory";
  if (source.get(["kind"]) === "pipeline") return "pipeline";
  if (source.get(["steps"]) !== undefined && source.get(["kind"]) === undefined) return "pipeline";
  const marks = ["kind", "range", "tasks", "matrix", "script", "command"];
  return marks.some((key) => source.get([key]) !== undefined) ? "job" : undefined;
}
