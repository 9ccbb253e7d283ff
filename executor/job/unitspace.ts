import type { Job } from "./job.js";

/** What a job is spread over, whatever its kind: the part of a Job that range, tasks, matrix and a jobs file each make. */
export interface UnitSpace extends Pick<Job, "first" | "units" | "sizing" | "chunk" | "unitsOf" | "stagedFiles"> {
  /** What of it decides over results, as values that JSON.stringify takes. */
  identity: Record<string, unknown>;
  /** The outputs of every chunk, for the checks of `aggregate` and `collect`. */
  outputs: Iterable<string[]>;
}
