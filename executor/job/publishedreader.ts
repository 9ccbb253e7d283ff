import { parseRangeId } from "./chunkids.js";
import { readDeclaredOutputs } from "./declaredoutputs.js";
import { listEntryOutputs } from "./entryoutputs.js";
import type { OutputScope } from "./outputs.js";
import { PublishedFiles } from "./publishedfiles.js";
import { JobReader } from "./reader.js";

/**
 * Reads which files a job publishes in `root`, its folder of results. Problems are not reported: the outputs are read again with
 * everything else. `ownResults`: files, absolute, that a run of it has published.
 */
export function readPublishedFiles(
  reader: JobReader,
  root: string,
  scope: OutputScope,
  ownResults: ReadonlySet<string> = new Set(),
): PublishedFiles {
  const scratch = new JobReader(reader.source, reader.folder);
  const kind = scratch.text(["kind"]);
  const files = new PublishedFiles(root, scope, createChunkTest(scratch, kind), ownResults);
  const base = readDeclaredOutputs(scratch, [], "", scope);
  files.addChunks(base);
  for (const path of base.appended ?? []) files.addCombined(path);
  const to = scratch.text(["aggregate", "to"]);
  if (to !== undefined) files.addCombined(to);
  if (kind === "tasks")
    for (const path of scratch.items(["tasks"]))
      files.addTask(scratch.text([...path, "id"]) ?? "", readDeclaredOutputs(scratch, path, "", scope, base));
  for (const { id, outputs } of listEntryOutputs(scratch, scope)) files.addTask(id, outputs);
  return files;
}

/** Returns whether a name is that of the folder of a chunk. */
function createChunkTest(reader: JobReader, kind: string | undefined): (name: string) => boolean {
  switch (kind) {
    case "range":
      return (name) => parseRangeId(name) !== undefined;
    case "shards":
      return (name) => /^shard-\d+$/.test(name);
    case "matrix": {
      const [axis = ""] = reader.keys(["matrix"]);
      return (name) => name.startsWith(`${axis}=`);
    }
    default:
      return () => false;
  }
}
