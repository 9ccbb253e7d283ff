import { join, resolve } from "node:path";
import type { Job } from "../../job/job.js";
import { STDOUT } from "../../job/outputs.js";
import { piecePath, type ResultChunk, type ResultLayout, resultPath, stdoutPath } from "../../job/resultpath.js";
import type { RunReplay } from "./replay.js";

/** Where a run publishes its results. */
export interface ResultsFolder {
  /** Absolute: `results` in the run directory, or the folder that the job or the user names. */
  readonly path: string;
  /** The folder for outputs without their final names, on the same file system. */
  readonly partial: string;
  /** Whether files of others may lie there: only in a folder that was named. */
  readonly isShared: boolean;
  /** Whether files that this run did not publish may be replaced. */
  readonly mayReplace: boolean;
  /** Whether edited inputs replace their sources when the run is complete. */
  readonly replacesSources: boolean;
  /** Whether the files of a batch are journaled before they are published: where their names do not distinguish them from those of others. */
  readonly isJournaled: boolean;
  /** The files of `append`, by chunk, before they are joined. */
  readonly pieces: string;
  readonly layout: ResultLayout;
}

/** The part of a job that says where its results go. */
export type ResultsJob = Pick<Job, "kind" | "folders" | "results" | "findsOutputs">;

/**
 * Returns where the results of a run go. `path`: the run directory; `id`: of the run. Outputs that are inputs too are published beside
 * their sources. They replace these in the end if the run began with `overwrite`, so that it stays the same in every session.
 */
export function locateResults(path: string, id: string, job: ResultsJob, replay: RunReplay): ResultsFolder {
  const { kind, folders, results, findsOutputs } = job;
  const own = join(path, "results");
  const pieces = join(path, "append");
  const isShared = results !== undefined && resolve(results.folder) !== resolve(own);
  if (!isShared)
    return {
      path: own,
      partial: join(path, ".partial"),
      isShared,
      mayReplace: false,
      replacesSources: false,
      // Chunks of other kinds have a folder each.
      isJournaled: kind === "tasks" && findsOutputs === true,
      pieces,
      layout: { kind, folders },
    };
  const beganWithOverwrite = replay.header === undefined ? results.overwrite : replay.header.overwrite === true;
  return {
    path: results.folder,
    partial: join(results.folder, `.muster-${id}.partial`),
    isShared,
    mayReplace: results.overwrite || beganWithOverwrite,
    replacesSources: beganWithOverwrite,
    isJournaled: true,
    pieces,
    layout: { kind, folders, protectedFolder: replay.hasReplacedSources ? undefined : results.folder },
  };
}

/** Returns the absolute path of an output of a committed chunk; undefined = it has none of that name. */
export function locateResultFile(
  { path, pieces, layout }: ResultsFolder,
  chunk: ResultChunk,
  output: string,
): string | undefined {
  const { outputs, appended, takesStdout } = chunk.spec;
  if (takesStdout && output === STDOUT) return join(path, stdoutPath(chunk.id));
  if (appended?.includes(output)) return join(pieces, piecePath(layout, chunk.id, output));
  return outputs.includes(output) ? join(path, resultPath(layout, chunk, output)) : undefined;
}
