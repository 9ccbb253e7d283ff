import type { Chunk } from "../../job/job.js";

/** Returns a new attempt id for `chunk` on `node`, unique within the run. */
export type IssueAttemptId = (node: string, chunk: Chunk) => string;

/** Returns ids that count from zero, for plans and simulations whose attempts are never executed. */
export function sequentialIds(): IssueAttemptId {
  let issued = 0;
  return () => (issued++).toString(36);
}
