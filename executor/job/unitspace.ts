import type { ChunkSpec, Job, ProgramLaunch } from "./job.js";
import type { DeclaredOutputs } from "./outputs.js";

/** The units of a job: the part of a Job that depends on its kind. */
export interface UnitSpace
  extends Pick<Job, "first" | "units" | "queue" | "sizing" | "chunk" | "unitsOf" | "stagedFiles"> {
  /** The parts that determine results, as values that JSON.stringify accepts. */
  identity: Record<string, unknown>;
  /** What chunks run, once for each kind of chunk. */
  specs: Iterable<ProgramLaunch & Pick<ChunkSpec, "inputs">>;
  /** The outputs of every chunk, and whether it has a state, to check `aggregate` and `collect`. */
  outputs: Iterable<DeclaredOutputs & Pick<ChunkSpec, "state">>;
}
