import type { Job } from "../../job/job.js";
import type { TaskCosts } from "../rates/taskcosts.js";
import { lengthCutoff } from "../slots/lengthcutoff.js";
import type { Pool } from "../slots/pool.js";
import type { ChunkSizer } from "./chunksizer.js";
import type { ChunkSource } from "./chunksource.js";
import { QueueSource } from "./queuesource.js";
import { SequentialSource } from "./sequentialsource.js";
import { TaskQueue } from "./taskqueue.js";

/** Creates the source of a range, in ascending order. */
export function createRangeSource(job: Job, sizes: ChunkSizer): ChunkSource {
  return new SequentialSource(job.first, job.first + job.units, (slot, left, now, fitCost) =>
    sizes.sizeNext(job.sizing!, slot, left, now, fitCost),
  );
}

/**
 * Creates the source of tasks, longest first; of a queue, in the order of arrival; or of matrix combinations or shards, which cannot be told
 * apart, in their order. `isBusy`: whether any slot is at work.
 */
export function createTaskSource(job: Job, pool: Pool, lengths: TaskCosts, isBusy: () => boolean): ChunkSource {
  if (job.kind === "tasks") return new TaskQueue(job, pool, lengths, isBusy);
  if (job.queue !== undefined) {
    const source = new QueueSource(job, pool, lengths, isBusy, job.queue.isOpen);
    source.add(job.first, job.queue.accepted);
    return source;
  }
  const any = job.chunk(job.first, job.first + 1n);
  return new SequentialSource(job.first, job.first + job.units, (slot, left, _now, fitCost) => {
    const mean = lengths.estimate(any);
    if (mean === undefined) return 1n;
    if (mean > fitCost) return 0n;
    if (!isBusy()) return 1n;
    return mean <= lengthCutoff(slot, pool, { total: mean * Number(left), mean }) ? 1n : 0n;
  });
}
