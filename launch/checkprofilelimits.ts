import type { Job } from "../executor/job/job.js";
import { checkLimits } from "../executor/schedule/plan/profilelimits.js";
import type { Node } from "../fleet/node.js";
import { matchesAnyPattern } from "../fleet/selectnodes.js";
import { InvalidFileError } from "../schemas/errors.js";

/** Checks parameters of jobs against the limits of the nodes' profiles. Returns notes. Throws InvalidFile where a limit is exceeded. */
export function checkProfileLimits(jobs: Job[], nodes: Node[]): string[] {
  const checks = jobs.map((job) => checkLimits(job, nodes, matchesAnyPattern));
  const problems = checks.flatMap((check) => check.problems);
  if (problems.length > 0) throw new InvalidFileError(problems);
  return [...jobs.flatMap((job) => job.notes ?? []), ...checks.flatMap((check) => check.notes)];
}
