import { piecePath, resultPath, stdoutPath } from "../../job/resultpath.js";
import { failpoint } from "../failpoint.js";
import { inodeOf } from "../record/ownfile.js";
import type { ResultsFolder } from "../record/resultsfolder.js";
import type { RunDirectory } from "../record/rundir.js";
import type { CollectedResult } from "./collectedresult.js";
import { type Publication, publish, writePartials } from "./publish.js";
import { type ChunkPublications, publishShared } from "./publishshared.js";
import { TargetCheck } from "./targetcheck.js";

type PublishingRun = Pick<RunDirectory, "results" | "journal">;

/**
 * Publishes the outputs of a group of results, which is fsynced when this resolves. Returns why chunks were refused, by their ids: their
 * outputs would replace files that do not belong to them. Nothing of those is published.
 */
export async function publishGroup(
  { results, journal }: PublishingRun,
  group: readonly CollectedResult[],
): Promise<Map<string, string>> {
  const pieces = group.flatMap((result) => listPieces(results, result));
  if (!results.isJournaled) {
    const batch = group.flatMap((result) => listPublications(results, result));
    await publish(results.path, results.partial, batch);
    await publish(results.pieces, results.partial, pieces);
    return new Map();
  }
  const chunks = group.map((result) => ({
    chunk: result.attempt.chunk.id,
    publications: listPublications(results, result),
  }));
  const refused = findConflicts(results, chunks);
  const accepted = chunks.filter(({ chunk }) => !refused.has(chunk));
  const written = await writePartials(
    accepted.flatMap(({ publications }) => publications),
    results.partial,
  );
  failpoint("written");
  let next = 0;
  for (const { chunk, publications } of accepted) {
    const files = publications.map(({ target, output }) => [target, output.sha256, inodeOf(written[next++]!)] as const);
    journal.add({ e: "publishing", chunk, files });
  }
  await journal.flush();
  const late = await publishShared(results, written, accepted);
  for (const chunk of late.keys()) journal.add({ e: "publishing", chunk, files: [] });
  await publish(results.pieces, results.partial, pieces);
  return new Map([...refused, ...late]);
}

/** Returns where the outputs of a result are published in the folder of results. */
export function listPublications(
  { layout }: ResultsFolder,
  { attempt, outputs }: Pick<CollectedResult, "attempt" | "outputs">,
): Publication[] {
  const { chunk } = attempt;
  return outputs
    .filter(({ kind }) => kind !== "appended")
    .map((output) => ({
      target: output.kind === "stdout" ? stdoutPath(chunk.id) : resultPath(layout, chunk, output.path),
      output,
    }));
}

function listPieces({ layout }: ResultsFolder, { attempt, outputs }: CollectedResult): Publication[] {
  return outputs
    .filter(({ kind }) => kind === "appended")
    .map((output) => ({ target: piecePath(layout, attempt.chunk.id, output.path), output }));
}

/** Returns which chunks have an output whose name is taken, or is needed by another chunk of the group, and why that is so. */
function findConflicts(results: ResultsFolder, chunks: ChunkPublications[]): Map<string, string> {
  const refused = new Map<string, string>();
  const writers = new Map<string, string>();
  const places = new TargetCheck(results);
  for (const { chunk, publications } of chunks) {
    for (const { target, output } of publications) {
      const other = writers.get(target);
      const conflict = places.findConflict(target, output.kind === "found");
      if (other !== undefined) refused.set(chunk, `chunk ${other} has an output ${target}, too`);
      else if (conflict !== undefined) refused.set(chunk, conflict);
    }
    if (!refused.has(chunk)) for (const { target } of publications) writers.set(target, chunk);
  }
  return refused;
}
