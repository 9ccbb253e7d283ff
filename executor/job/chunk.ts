/** A file that is staged to nodes: its local path (absolute) and its path relative to the job file. */
export interface StagedFile {
  readonly source: string;
  readonly path: string;
  /** Its size when the job was loaded; undefined = unknown. */
  readonly bytes?: number;
}

/**
 * How a program starts. A script is run as `prefix` (the interpreter's words; "{python}" is the Python of the job's
 * environment, or of the node) and its path; a module as `python -m`. A `nodeScript` lies in the job's directory on the
 * nodes.
 */
export type Program =
  | Readonly<{ kind: "module"; module: string }>
  | Readonly<{ kind: "script"; script: StagedFile; prefix: readonly string[] }>
  | Readonly<{ kind: "nodeScript"; path: string; prefix: readonly string[] }>
  | Readonly<{ kind: "command"; command: readonly string[] }>;

/** What one chunk runs. Everything is resolved but `{gpu}`, `{gpus}`, `{out}` and `{cores}`, which depend on the slot. */
export interface ChunkSpec {
  readonly program: Program;
  /** Templates for `renderTemplate(args, {gpu, out, cores})`; literal text is not expanded again. */
  readonly args: readonly Template[];
  readonly inputs: readonly StagedFile[];
  /**
   * Files, relative to the working directory, which is also `{out}`; in a job with a `directory`, relative to either. A path of a
   * project may begin with `../`.
   */
  readonly outputs: readonly string[];
  /** Whether what the program prints is an output too. */
  readonly takesStdout?: boolean;
  /** Outputs whose names are known when the program has ended; undefined = none. */
  readonly found?: readonly FoundOutputs[];
  /** Those of `outputs` that are joined in chunk order: each attempt starts with an empty file. */
  readonly appended?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How many GPUs of one node it needs at once, if several. */
  readonly gpus?: number;
  /** Seconds; undefined = no timeout. */
  readonly timeout?: number;
  /** How its state is kept for its next attempt; undefined = it has none. */
  readonly state?: StateSettings;
  /** Seconds between SIGTERM and SIGKILL; undefined = as long as usual. */
  readonly grace?: number;
}

/** How the state of a running chunk is kept. */
export interface StateSettings {
  /** Seconds between two copies to this machine while it runs. */
  readonly every: number;
  /** The most bytes of all its files. */
  readonly limit: number;
}

/**
 * The files that a chunk made or changed below a folder, or those of them that match a glob. Files that were there before it started
 * and are unchanged do not count.
 */
export interface FoundOutputs {
  /** As the job writes it: `out/`, `*.srt`. */
  readonly written: string;
  /** The folder that they lie in, relative to the working directory; "." is the working directory itself. */
  readonly base: string;
  /** A regular expression that their whole paths below `base` match; undefined = all files. */
  readonly pattern?: string;
  /** How many parts the paths below `base` have; undefined = any number. */
  readonly depth?: number;
  readonly atLeast: number;
  readonly atMost?: number;
}

/** A program, and its arguments where they are the same, but for placeholders, in all chunks that start it. */
export type ProgramLaunch = Pick<ChunkSpec, "program"> & Partial<Pick<ChunkSpec, "args" | "env" | "gpus">>;

/** Text with unfilled placeholders, e.g. ["--seed=", {name: "gpu"}]. */
export type Template = readonly (string | Readonly<{ name: string }>)[];

/** Values that arguments can use by name. */
export type Params = Readonly<Record<string, string | number | bigint | boolean>>;
