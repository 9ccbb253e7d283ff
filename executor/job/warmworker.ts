import { parseDuration, parseSize } from "../../schemas/quantity.js";
import { suggest } from "../../schemas/suggest.js";
import type { WarmWorkers } from "./job.js";
import type { JobReader } from "./reader.js";

/** Reads `worker`, `recycle` and `isolate_by`; undefined = each chunk has a process of its own. Keys that do not fit are reported. */
export function readWarmWorkers(reader: JobReader): WarmWorkers | undefined {
  if (reader.text(["worker"]) !== "warm") {
    for (const key of ["recycle", "isolate_by"])
      if (reader.has([key]))
        reader.reportAt([key], `${key}: the job has no warm workers`, "add worker: warm, or remove it");
    return undefined;
  }
  if (reader.source.get(["tty"]) === true)
    reader.reportAt(["tty"], "tty: a warm worker has no terminal", "remove tty or worker");
  if (reader.has(["directory"]))
    reader.reportAt(
      ["directory"],
      "directory: a warm worker needs a folder for each chunk, and not one for all",
      "name the folder as project instead, or remove worker",
    );
  const after = parseDuration(reader.source.get(["recycle", "after"]));
  const memory = parseSize(reader.source.get(["recycle", "memory"]));
  return {
    chunks: reader.number(["recycle", "chunks"]),
    seconds: after.ok ? after.value : undefined,
    memory: memory.ok ? memory.value : undefined,
    isolateBy: readIsolation(reader),
  };
}

function readIsolation(reader: JobReader): string | undefined {
  const key = reader.text(["isolate_by"]);
  const known = reader.keys(["matrix"]);
  if (key !== undefined && !known.includes(key))
    reader.reportAt(
      ["isolate_by"],
      `isolate_by: the matrix has no key "${key}"`,
      suggest(key, known) ?? "name a key of a matrix",
    );
  return key;
}
