import { existsSync, renameSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fsyncPath } from "../../../schemas/filewrites.js";
import { isFoundBy } from "../../job/foundoutputs.js";
import type { ChunkSpec, Job, StagedFile } from "../../job/job.js";
import { listResultPaths } from "../../job/resultpath.js";
import { failpoint } from "../failpoint.js";
import type { Journal } from "./journal.js";
import type { RunReplay } from "./replay.js";
import type { ResultsFolder } from "./resultsfolder.js";

/**
 * Replaces the sources of edited inputs with what the tasks made of them, where the run may. Until all tasks are committed, edited inputs
 * lie beside their sources: a resumed run needs its inputs as they were. From the journaled record on, it does not.
 */
export async function replaceSources(
  job: Job,
  { results, journal, replay }: { results: ResultsFolder; journal: Journal; replay: RunReplay },
): Promise<void> {
  if (!results.replacesSources || replay.hasReplacedSources || listEditedInputs(job, results).next().done) return;
  journal.add({ e: "replacing" });
  await journal.flush();
  failpoint("replacing");
  finishReplacing(job, results);
}

/** Replaces the sources that are not replaced yet. */
export function finishReplacing(job: Job, results: ResultsFolder): void {
  const folders = new Set<string>();
  for (const { source } of listEditedInputs(job, results)) {
    if (!existsSync(`${source}.new`)) continue;
    renameSync(`${source}.new`, source);
    folders.add(dirname(source));
    failpoint("replaced");
  }
  for (const folder of folders) fsyncPath(folder);
}

/** Yields the inputs that tasks publish in place of their sources. */
export function* listEditedInputs(job: Job, { path, layout: { folders } }: ResultsFolder): Generator<StagedFile> {
  // The chunks of other kinds have a folder each.
  if (job.kind !== "tasks") return;
  for (let task = job.first; task < job.first + job.units; task++) {
    const chunk = job.chunk(task, task + 1n);
    if (chunk.spec.inputs.length === 0) continue;
    const targets = new Set(listResultPaths({ kind: job.kind, folders }, chunk).map((target) => join(path, target)));
    for (const input of chunk.spec.inputs)
      if (targets.has(input.source) || isFound(chunk.spec, relative(path, input.source))) yield input;
  }
}

function isFound({ found = [] }: ChunkSpec, path: string): boolean {
  return !path.startsWith("../") && found.some((outputs) => isFoundBy(outputs, path));
}
