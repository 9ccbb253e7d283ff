import type { Chunk } from "../../job/job.js";

/** Names a new attempt of `chunk` on `node`. No two attempts of a run may have one name. */
export type IssueAttemptId = (node: string, chunk: Chunk) => string;

/** Ids that count from zero: enough for a scheduler whose attempts nobody executes (plans, simulations). */
export function sequentialIds(): IssueAttemptId {
  let issued = 0;
  return () => (issued++).toString(36);
}
