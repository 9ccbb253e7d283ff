import type { Job } from "../executor/job/job.js";
import { judgeLimits } from "../executor/schedule/plan/limits.js";
import type { Node } from "../fleet/node.js";
import { matches } from "../fleet/select.js";
import { InvalidFile } from "../schemas/errors.js";

/** What jobs and the limits of nodes want to be known, as notes. Throws InvalidFile where one of them forbids a value. */
export function limitNotes(jobs: Job[], nodes: Node[]): string[] {
  const findings = jobs.map((job) => judgeLimits(job, nodes, matches));
  const problems = findings.flatMap((one) => one.problems);
  if (problems.length > 0) throw new InvalidFile(problems);
  return [...jobs.flatMap((job) => job.notes ?? []), ...findings.flatMap((one) => one.notes)];
}
