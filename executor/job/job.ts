import type { LimitedValue } from "./limitedvalues.js";

/** A file that is staged to nodes: where it lies here (absolute) and its path in the working directory of an attempt. */
export interface StagedFile {
  source: string;
  path: string;
  /** Its size when the job was loaded; undefined = unknown. */
  bytes?: number;
}

/** How a program starts. `script`: `prefix` (interpreter words; "{python}" stands for the node's python) + script path. */
export type Program = { kind: "script"; script: StagedFile; prefix: string[] } | { kind: "command"; command: string[] };

/** What one chunk runs, with everything resolved but `{gpu}` and `{out}`, which only a slot knows. */
export interface ChunkSpec {
  program: Program;
  /** Pieces that `render(args, {gpu, out})` of executor/job/template.ts joins; literal text is never expanded again. */
  args: Template[];
  inputs: StagedFile[];
  /** Relative paths under the working directory of the attempt, which is also `{out}`. */
  outputs: string[];
  env: Record<string, string>;
  /** Seconds; undefined = none. */
  timeout?: number;
}

/** Text with the placeholders still to be filled, e.g. ["--seed=", {name: "gpu"}]. */
export type Template = (string | { name: string })[];

/** The piece that is dispatched: units [start, end) of the job. Its id is a safe file name and unique in the job. */
export interface Chunk {
  id: string;
  start: bigint;
  end: bigint;
  /** A GPU index it is pinned to. */
  gpu?: number;
  /** Seconds that it is said to take. */
  expectedSeconds?: number;
  /** Larger goes first; undefined = the job's. */
  priority?: number;
  spec: ChunkSpec;
  /** It was computed before, there: its result is only compared with the first one. */
  firstResult?: { node: string; slot: number };
}

export interface JobRequirements {
  vendor?: "amd" | "nvidia" | "none";
  model?: string;
  /** Bytes. */
  vram?: number;
  /** Bytes of host memory of one chunk. */
  memory?: number;
  /** Names, tags or globs; undefined = any node. */
  nodes?: string[];
  playbooks: string[];
}

/**
 * How a range is cut, in units. By rate: the slowest slot gets `base`, the others more in proportion. By time: chunks take
 * `target` seconds (undefined: what keeps their overhead small), and the `first` of a slot that nothing is known of is small.
 */
export type Sizing =
  | { by: "rate"; base: number; min: number; max: number }
  | { by: "time"; target?: number; first?: number; min: number; max?: number };

/**
 * A job, loaded and checked. Whatever its kind, it is a space of `units` numbered from `first`: seeds of a range, tasks in
 * file order, combinations of a matrix. Chunks are made when they are needed, so a space of 2^64 costs nothing.
 */
export interface Job {
  name: string;
  /** Absolute path of the job file, and its folder. */
  file: string;
  folder: string;
  kind: "range" | "tasks" | "matrix";
  first: bigint;
  units: bigint;
  /** Units a chunk: undefined = always one (tasks, matrix). */
  sizing?: Sizing;
  /** The chunk of the units [start, end). Pure. For tasks and matrix end = start + 1. */
  chunk(start: bigint, end: bigint): Chunk;
  /**
   * The inverse of ids: the units [start, end) of the chunk called `id`, for putting results in order and for taking over
   * what a node still runs. Ids may come from a node: undefined for anything that is not an id of this job.
   */
  unitsOf(id: string): [start: bigint, end: bigint] | undefined;
  /** Every file that any chunk stages, for the check that inputs have not changed between runs. */
  stagedFiles(): Iterable<StagedFile>;
  needs: JobRequirements;
  params: Record<string, string | number | bigint | boolean>;
  /** Its values that the `limits` of a node bound. */
  limitedValues: LimitedValue[];
  retry: { attempts: number; backoff: number };
  /** Bytes of one output at most. */
  limits: { output: number };
  /** The share of its chunks (0 to 1) that are computed again elsewhere; `tolerance`: of numbers in JSON, else results must be equal. */
  recheck?: { share: number; tolerance?: number };
  priority: number;
  aggregate?: { from: string; as: "array" | "lines" | "concat"; to: string };
  collect: "files" | "lines";
  /**
   * Text that is equal for two jobs that would compute the same. It holds values of `env`, so it is never stored as it is: a run
   * directory keeps `storedIdentity` of it, and tells from that what differs. Made anew each time: with many tasks it is large.
   */
  readonly identity: string;
  /** The file that `env_file` names; absolute. */
  envFile?: string;
  /** What whoever runs it should know, a sentence each. */
  notes?: string[];
}
