import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { JobReader, KeyPath } from "../job/reader.js";
import type { FileReference } from "./pipeline.js";

/**
 * Reads the file that a step names at `path`: a file beside the pipeline, or else `STEP/FILE`, an output of a step. Where there are
 * both, an output that a command step declares comes first. Whether the file or output exists is not checked.
 */
export function readFileReference(reader: JobReader, path: KeyPath): FileReference | undefined {
  const text = reader.text(path);
  if (text === undefined) return undefined;
  const local = resolve(reader.folder, text);
  const [step = "", ...rest] = text.split("/");
  const file = rest.join("/");
  const isDeclared = reader.list(["steps", step, "outputs"])?.some((output) => output.text === file) === true;
  const isOutput = reader.has(["steps", step]) && file !== "" && (isDeclared || !existsSync(local));
  return isOutput ? { kind: "output", step, file } : { kind: "file", path: local };
}
