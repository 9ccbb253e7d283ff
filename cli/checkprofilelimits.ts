import type { Job } from "../executor/job/job.js";
import { checkLimits } from "../executor/schedule/plan/profilelimits.js";
import type { Node } from "../fleet/node.js";
import { matches } from "../fleet/select.js";
import { InvalidFile } from "../schemas/errors.js";

/** What jobs and the limits of nodes want to be known, as notes. Throws InvalidFile where one of them forbids a value. */
export function checkProfileLimits(jobs: Job[], nodes: Node[]): string[] {
  const findings = jobs.map((job) => checkLimits(job, nodes, matches));
  const problems = findings.flatMap((one) => one.problems);
  if (problems.length > 0) throw new InvalidFile(problems);
  return [...jobs.flatMap((job) => job.notes ?? []), ...findings.flatMap((one) => one.notes)];
}
