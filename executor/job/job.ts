import type { LimitedValue } from "./limitedvalues.js";

/** A file that is staged to nodes: its local path (absolute) and its path in the working directory of an attempt. */
export interface StagedFile {
  source: string;
  path: string;
  /** Its size when the job was loaded; undefined = unknown. */
  bytes?: number;
}

/**
 * How a program starts. A script is run as `prefix` (the interpreter's words; "{python}" is the node's python) and its
 * path.
 */
export type Program = { kind: "script"; script: StagedFile; prefix: string[] } | { kind: "command"; command: string[] };

/** What one chunk runs. Everything is resolved but `{gpu}` and `{out}`, which depend on the slot. */
export interface ChunkSpec {
  program: Program;
  /** Templates for `renderTemplate(args, {gpu, out})`; literal text is not expanded again. */
  args: Template[];
  inputs: StagedFile[];
  /** Paths relative to the working directory of the attempt, which is also `{out}`. */
  outputs: string[];
  env: Record<string, string>;
  /** Seconds; undefined = no timeout. */
  timeout?: number;
}

/** Text with unfilled placeholders, e.g. ["--seed=", {name: "gpu"}]. */
export type Template = (string | { name: string })[];

/** The piece that is dispatched: units [start, end) of the job. Its id is a safe file name and unique in the job. */
export interface Chunk {
  id: string;
  start: bigint;
  end: bigint;
  /** The GPU index that it is pinned to. */
  gpu?: number;
  /** The seconds that the job file expects it to take. */
  expectedSeconds?: number;
  /** Higher runs first; undefined = the job's priority. */
  priority?: number;
  spec: ChunkSpec;
  /** The slot that computed it first, if it is a recheck: the result is only compared with the first one. */
  firstResult?: { node: string; slot: number };
}

export interface JobRequirements {
  vendor?: "amd" | "nvidia" | "none";
  model?: string;
  /** Bytes. */
  vram?: number;
  /** Bytes of host memory for one chunk. */
  memory?: number;
  /** Names, tags or globs; undefined = any node. */
  nodes?: string[];
  playbooks: string[];
}

/**
 * How a range is cut into chunks, in units. By rate: the slowest slot gets `base`, the others more in proportion. By time:
 * chunks take `target` seconds (undefined: chosen to keep the overhead small), and the first chunk of a slot with an
 * unknown rate has `first` units.
 */
export type Sizing =
  | { by: "rate"; base: number; min: number; max: number }
  | { by: "time"; target?: number; first?: number; min: number; max?: number };

/**
 * A job that was loaded and checked. Jobs of every kind have `units` numbered from `first`: seeds of a range, tasks in file
 * order, combinations of a matrix. Chunks are created on demand, so a job of 2^64 units costs nothing.
 */
export interface Job {
  name: string;
  /** Absolute path of the job file, and its folder. */
  file: string;
  folder: string;
  kind: "range" | "tasks" | "matrix";
  first: bigint;
  units: bigint;
  /** How units are grouped into chunks; undefined = one unit each (tasks, matrix). */
  sizing?: Sizing;
  /** Returns the chunk of the units [start, end). Pure. For tasks and matrix, end = start + 1. */
  chunk(start: bigint, end: bigint): Chunk;
  /**
   * Returns the units [start, end) of the chunk with this id, for sorting results and for adopting what a node still runs.
   * Ids may come from a node: returns undefined for anything that is not an id of this job.
   */
  unitsOf(id: string): [start: bigint, end: bigint] | undefined;
  /** Yields every file that any chunk stages, to check that inputs have not changed between runs. */
  stagedFiles(): Iterable<StagedFile>;
  needs: JobRequirements;
  params: Record<string, string | number | bigint | boolean>;
  /** The values that the `limits` of a node may restrict. */
  limitedValues: LimitedValue[];
  retry: { attempts: number; backoff: number };
  /** The most bytes of one output. */
  limits: { output: number };
  /**
   * The share of chunks (0 to 1) that are computed again elsewhere. `tolerance`: of numbers in JSON; without it, results
   * must be equal.
   */
  recheck?: { share: number; tolerance?: number };
  priority: number;
  aggregate?: { from: string; as: "array" | "lines" | "concat"; to: string };
  collect: "files" | "lines";
  /**
   * A text that is equal for jobs that would compute the same. It contains values of `env`, so it is never stored: a run
   * directory keeps `storedIdentity` of it, which is enough to tell what differs. Created on each access, because it is
   * large for many tasks.
   */
  readonly identity: string;
  /** The absolute path of the file that `env_file` names. */
  envFile?: string;
  /** Warnings for the user, one sentence each. */
  notes?: string[];
}
