import type { Job } from "../../job/job.js";
import type { TaskLengths } from "../rates/tasklengths.js";
import type { Pool } from "../slots/pool.js";
import { reach } from "../slots/reach.js";
import { Sequence } from "./sequence.js";
import type { Sizes } from "./sizes.js";
import type { Source } from "./source.js";
import { TaskQueue } from "./taskqueue.js";

/** A range, in its order. */
export function rangeSource(job: Job, sizes: Sizes): Source {
  return new Sequence(job.first, job.first + job.units, (slot, left) => sizes.next(job.sizing!, slot, left));
}

/** Tasks, the longest first; combinations of a matrix, which nobody can tell apart, in their order. `isBusy`: whether any slot is at work. */
export function taskSource(job: Job, pool: Pool, lengths: TaskLengths, isBusy: () => boolean): Source {
  if (job.kind === "tasks") return new TaskQueue(job, pool, lengths, isBusy);
  const any = job.chunk(job.first, job.first + 1n);
  return new Sequence(job.first, job.first + job.units, (slot, left) => {
    const mean = lengths.of(any);
    if (mean === undefined || !isBusy()) return 1n;
    return mean <= reach(slot, pool, { length: mean * Number(left), mean }) ? 1n : 0n;
  });
}
