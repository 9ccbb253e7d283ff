import { join, posix } from "node:path";
import type { ChunkSpec, Job, StagedFile } from "./job.js";
import { STDOUT } from "./outputs.js";

/** What the paths of results depend on, beside their chunks. */
export interface ResultLayout {
  readonly kind: Job["kind"];
  /** `cwd`: relative to the project's root. */
  readonly folders: Readonly<{ cwd: string }>;
  /** A folder of results, absolute, whose inputs are not replaced: an edited input is published beside its source, as NAME.new. */
  readonly protectedFolder?: string;
}

type ResultNames = Pick<ChunkSpec, "outputs" | "appended" | "takesStdout">;

/** A chunk, as far as the paths of its results depend on it. */
export interface ResultChunk {
  readonly id: string;
  readonly spec: ResultNames & { readonly inputs: readonly StagedFile[] };
}

/**
 * Returns the path of an output among the results of its chunk: relative to the working directory, or, for one above it, to the
 * project's root. `path`: as the chunk's spec has it.
 */
export function publishedPath(cwd: string, path: string): string {
  return path.startsWith("../") ? posix.join(cwd, path) : path;
}

/** Returns the paths of the named outputs of a chunk among its results. */
export function listPublishedPaths({ outputs, takesStdout }: ResultNames, cwd: string): string[] {
  return [...(takesStdout ? [STDOUT] : []), ...outputs.map((output) => publishedPath(cwd, output))];
}

/** Returns the path of an output in the folder of results. `path`: as the chunk's spec has it, and not that of stdout. */
export function resultPath(
  { kind, folders, protectedFolder }: ResultLayout,
  { id, spec }: ResultChunk,
  path: string,
): string {
  const published = publishedPath(folders.cwd, path);
  const target = kind === "tasks" ? published : posix.join(id, published);
  if (protectedFolder === undefined) return target;
  const source = join(protectedFolder, target);
  return spec.inputs.some((input) => input.source === source) ? `${target}.new` : target;
}

/** Returns the path of what a chunk printed in the folder of results. */
export function stdoutPath(id: string): string {
  return posix.join(id, STDOUT);
}

/** Returns the folders in the folder of results that a task declares as a whole. */
export function listResultFolders(
  { kind, folders }: ResultLayout,
  { spec }: { spec: Pick<ChunkSpec, "found"> },
): string[] {
  if (kind !== "tasks") return [];
  const whole = (spec.found ?? []).filter(({ pattern }) => pattern === undefined);
  return whole.map(({ base }) => publishedPath(folders.cwd, base)).filter((folder) => folder !== ".");
}

/** Returns the path of a file of `append` of one chunk, in the folder of these files. `path`: as the chunk's spec has it. */
export function piecePath({ folders }: ResultLayout, id: string, path: string): string {
  return posix.join(id, publishedPath(folders.cwd, path));
}

/** Returns the paths in the folder of results that a chunk writes, as far as they are known before it runs. */
export function listResultPaths(layout: ResultLayout, chunk: ResultChunk): string[] {
  const { outputs, appended, takesStdout } = chunk.spec;
  const files = appended === undefined ? outputs : outputs.filter((output) => !appended.includes(output));
  return [...(takesStdout ? [stdoutPath(chunk.id)] : []), ...files.map((output) => resultPath(layout, chunk, output))];
}

/** Returns the files that are made of the outputs of all chunks, in the folder of results. */
export function listCombinedFiles({ appended = [], folders, aggregate, results }: CombiningJob): string[] {
  const joined = appended.map((path) => publishedPath(folders.cwd, path));
  return results === undefined || aggregate === undefined ? joined : [...joined, aggregate.to];
}

type CombiningJob = Pick<Job, "appended" | "folders" | "aggregate" | "results">;
