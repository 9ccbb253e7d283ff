import type { Job } from "../executor/job/job.js";
import { checkLimits } from "../executor/schedule/plan/profilelimits.js";
import type { Node } from "../fleet/node.js";
import { matchesAnyPattern } from "../fleet/selectnodes.js";
import { InvalidFileError } from "../schemas/errors.js";

/** What jobs and the limits of nodes want to be known, as notes. Throws InvalidFile where one of them forbids a value. */
export function checkProfileLimits(jobs: Job[], nodes: Node[]): string[] {
  const findings = jobs.map((job) => checkLimits(job, nodes, matchesAnyPattern));
  const problems = findings.flatMap((one) => one.problems);
  if (problems.length > 0) throw new InvalidFileError(problems);
  return [...jobs.flatMap((job) => job.notes ?? []), ...findings.flatMap((one) => one.notes)];
}
