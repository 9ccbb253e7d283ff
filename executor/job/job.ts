import type { FilePosition } from "../../schemas/errors.js";
import type { UnitPart } from "../../schemas/quantity.js";
import type { ChunkSpec, Params, ProgramLaunch, StagedFile } from "./chunk.js";
import type { BuildSpec } from "./project/buildspec.js";
import type { LaunchFolders, Project } from "./project/project.js";
import type { JobQueue } from "./queue/jobqueue.js";

export type {
  ChunkSpec,
  FoundOutputs,
  Program,
  ProgramLaunch,
  StagedFile,
  StateSettings,
  Template,
} from "./chunk.js";

/** The piece that is dispatched: units [start, end) of the job. Its id is a safe file name and unique in the job. */
export interface Chunk {
  readonly id: string;
  readonly start: bigint;
  readonly end: bigint;
  /** The GPU index that it is pinned to. */
  readonly gpu?: number;
  /** The seconds that the job file expects it to take. */
  readonly expectedSeconds?: number;
  /** Higher runs first; undefined = the job's priority. */
  readonly priority?: number;
  /** Parameters of its own, beside those of the job: the keys of a matrix, or `params` of a task of a queue. */
  readonly params?: Params;
  readonly spec: ChunkSpec;
  /** The slot that computed it first, if it is a recheck: the result is only compared with the first one. */
  readonly firstResult?: Readonly<{ node: string; slot: number }>;
}

/** A number in a job that a profile's `limits` may restrict. */
export interface LimitedValue {
  readonly name: string;
  readonly value: number;
  readonly place: FilePosition;
  /** How the file names it, e.g. `params.sample_size`. */
  readonly label: string;
}

export interface JobRequirements {
  readonly vendor?: "amd" | "nvidia" | "none";
  readonly model?: string;
  /** Bytes. */
  readonly vram?: number;
  /**
   * 0: CPU slots, also of nodes with GPUs; else GPU slots, and how many of a node every chunk needs at least; undefined = as `vendor`
   * says.
   */
  readonly gpus?: number;
  /** The share of a GPU that a chunk takes: 1, a half, a third and so on; undefined = as the inventory says. */
  readonly gpuShare?: number;
  /** Bytes of host memory for one chunk. */
  readonly memory?: number;
  /** Threads of one chunk. */
  readonly cores?: number;
  /** Names, tags or globs; undefined = any node. */
  readonly nodes?: readonly string[];
  readonly playbooks: readonly string[];
}

/**
 * How a range is cut into chunks, in units. By rate: the slowest slot gets `base`, the others more in proportion. By time:
 * chunks take `target` seconds (undefined: chosen to keep the overhead small), and the first chunk of a slot with an
 * unknown rate has `first` units. `isWarm`: workers are warm, so that short chunks cost little.
 */
export type Sizing =
  | Readonly<{ by: "rate"; base: number; min: number; max: number }>
  | Readonly<{ by: "time"; target?: number; first?: number; min: number; max?: number; isWarm?: true }>;

/** How the warm workers of a job are recycled, and which chunks must not share one. */
export interface WarmWorkers {
  /** Limits of one worker; undefined = none. */
  readonly chunks?: number;
  readonly seconds?: number;
  /** Bytes of host memory. */
  readonly memory?: number;
  /** The key of the matrix whose values get different workers. */
  readonly isolateBy?: string;
}

/** When a run stops although work is left. */
export interface HaltRules {
  /** The different chunks that fail alike before one has succeeded; 0 = never. */
  readonly alike: number;
  /** The chunks that use up their tries: a share of those that have ended, or a number; undefined = any. */
  readonly failures?: UnitPart;
}

/** What loading a job again needs beside the text of its file and the inventory, as JSON: a run directory keeps it. */
export interface JobOrigin {
  /** The absolute path of the job file, and the folder that relative paths in it start from. */
  readonly file: string;
  readonly folder: string;
  /** From `--set` and `--range`, or from the step of a pipeline; a range in decimal. */
  readonly set?: Record<string, string>;
  readonly range?: [start: string, end: string];
  /** The files and folders that replaced inputs, by the path of the input. */
  readonly inputs?: [path: string, parts: readonly { path: string; source: string }[]][];
}

/**
 * A job that was loaded and checked. Jobs of every kind have `units` numbered from `first`: seeds of a range, tasks in file
 * order, combinations of a matrix, shards. Chunks are created on demand, so a job of 2^64 units costs nothing.
 */
export interface Job {
  readonly name: string;
  /** What runs: the name under which learned rates are filed. */
  readonly work: string;
  /** Absolute path of the job file; of a job that is no file: a name for it in its folder. */
  readonly file: string;
  /** The JSON text of a job that is no file. */
  readonly content?: string;
  /** The folder that relative paths in it start from, absolute: its own, unless the step of a pipeline names another one. */
  readonly folder: string;
  readonly kind: "range" | "tasks" | "matrix" | "shards" | "queue";
  readonly first: bigint;
  /** Of a queue: those of its tasks that were accepted, and not cancelled, so far. */
  readonly units: bigint;
  /** The tasks of a queue; undefined for jobs of other kinds. */
  readonly queue?: JobQueue;
  /** How units are grouped into chunks; undefined = one unit each (all kinds but ranges). */
  readonly sizing?: Sizing;
  /** Returns the chunk of the units [start, end). Pure. Without `sizing`, end = start + 1. */
  chunk(start: bigint, end: bigint): Chunk;
  /**
   * Returns the units [start, end) of the chunk with this id, for sorting results and for adopting what a node still runs.
   * Ids may come from a node: returns undefined for anything that is not an id of this job.
   */
  unitsOf(id: string): [start: bigint, end: bigint] | undefined;
  /** Yields every file that any chunk stages, to check that inputs have not changed between runs. */
  stagedFiles(): Iterable<StagedFile>;
  /** What chunks start, once for each kind of chunk. */
  readonly launches: Iterable<ProgramLaunch>;
  /** The files that are copied to nodes; undefined = none. */
  readonly project?: Project;
  readonly folders: LaunchFolders;
  /** The folder of the nodes in which programs run instead, absolute or in `~`; undefined = each attempt has a working copy. */
  readonly directory?: string;
  /** How the project is built on each node before its first chunk; undefined = it is not. */
  readonly build?: BuildSpec;
  readonly needs: JobRequirements;
  /** How many GPUs the chunks need that need the fewest and the most; undefined = none needs several. */
  readonly gpuCounts?: Readonly<{ fewest: number; most: number }>;
  /** The environment of the inventory that programs run in, and its path on nodes; undefined = the node's own Python. */
  readonly pythonEnv?: Readonly<{ name: string; at: string }>;
  readonly params: Params;
  /** The values that the `limits` of a node may restrict. */
  readonly limitedValues: readonly LimitedValue[];
  /** The program that is told results, and may stop chunks and add tasks; undefined = there is none. */
  readonly ask?: readonly string[];
  readonly retry: Readonly<{ attempts: number; backoff: number }>;
  readonly halt: HaltRules;
  /** The committed units with which the job counts as done although chunks failed; undefined = all. */
  readonly enough?: bigint;
  /** `output`: the most bytes of one output, or of all files of a folder or glob; `stdout`: of what is printed; `files`: of a chunk. */
  readonly limits: Readonly<{ output: number; stdout: number; files: number }>;
  /**
   * The share of chunks (0 to 1) that are computed again elsewhere. `tolerance`: of numbers in JSON; without it, results
   * must be equal.
   */
  readonly recheck?: Readonly<{ share: number; tolerance?: number }>;
  readonly priority: number;
  /** undefined = each chunk has a process of its own. */
  readonly warm?: WarmWorkers;
  /** Seconds without progress after which a chunk is ended; undefined = it is not. */
  readonly stallSeconds?: number;
  /** Whether programs get a terminal. */
  readonly tty?: boolean;
  readonly aggregate?: Readonly<{ from: string; as: "array" | "lines" | "concat"; to: string }>;
  readonly collect: "files" | "lines";
  /** Whether NaN, Infinity and -Infinity in JSON outputs are read as null where outputs are combined. */
  readonly nanAsNull?: boolean;
  /** The folder, absolute, that results are published in; undefined = the run directory. `overwrite`: files there may be replaced. */
  readonly results?: Readonly<{ folder: string; overwrite: boolean }>;
  /** The files that are joined from those of all chunks, as their specs have them; undefined = none. */
  readonly appended?: readonly string[];
  /** The most named outputs of a chunk. */
  readonly mostOutputs?: number;
  /** Whether some chunks have outputs whose names are known only when they have ended. */
  readonly findsOutputs?: boolean;
  /** Whether some chunks have a state. */
  readonly keepsState?: boolean;
  /**
   * A text that is equal for jobs that would compute the same. It contains values of `env`, so it is never stored: a run
   * directory keeps it with these hashed (`hashEnvValues`), which is enough to find what differs. Created on each access, because it is
   * large for many tasks.
   */
  readonly identity: string;
  /** How the job was loaded. */
  readonly origin?: JobOrigin;
  /** The absolute path of the file that `env_file` names. */
  readonly envFile?: string;
  /** Warnings for the user, one sentence each. */
  readonly notes?: readonly string[];
}
