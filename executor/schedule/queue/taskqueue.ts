import type { Chunk, Job } from "../../job/job.js";
import { costClassOf, type TaskCosts } from "../rates/taskcosts.js";
import { lengthCutoff } from "../slots/lengthcutoff.js";
import type { Pool } from "../slots/pool.js";
import { widthOf } from "../slots/slotgroups.js";
import type { SlotState } from "../slots/slotstate.js";
import type { ChunkSource } from "./chunksource.js";
import { TaskOrder, type TaskRank } from "./taskorder.js";

/** Tasks are sorted by their cost as an integer multiple of this. */
const COST_RESOLUTION_SECONDS = 0.001;
/**
 * If there are several cost classes, tasks are sorted again after this many have ended, and then whenever the number has
 * doubled.
 */
const FIRST_RESORT_COUNT = 16;

/**
 * The unassigned tasks, by priority and then longest first (LPT, Graham 1969). The fastest slots start with the longest
 * tasks; slower slots start with those that the fastest will not reach, so that the last tasks to end are short everywhere.
 */
export class TaskQueue implements ChunkSource {
  private readonly count: number;
  private readonly isTaken: Uint8Array;
  private order: TaskOrder;
  private resortAt: number;
  private remaining: number;

  /** `isBusy`: whether any slot is at work, so that others can wait for it. */
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly costs: TaskCosts,
    private readonly isBusy: () => boolean,
  ) {
    this.count = this.remaining = Number(job.units);
    this.isTaken = new Uint8Array(this.count);
    this.order = this.sortTasks();
    const kinds = new Set(Array.from(this.isTaken, (_, index) => costClassOf(this.task(index))));
    this.resortAt = kinds.size > 1 ? FIRST_RESORT_COUNT : Number.POSITIVE_INFINITY;
  }

  get left(): bigint {
    return BigInt(this.remaining);
  }

  /** The mean cost of the unassigned tasks; undefined = unknown, or there are none. */
  get meanCost(): number | undefined {
    const grain = this.costPerLength();
    return grain === undefined || this.remaining === 0 ? undefined : (grain * this.order.length) / this.remaining;
  }

  take(
    slot: SlotState,
    _now: number,
    mostCost = Number.POSITIVE_INFINITY,
    fitCost = Number.POSITIVE_INFINITY,
  ): [start: bigint, end: bigint] | undefined {
    if (this.remaining === 0) return undefined;
    if (this.costs.count >= this.resortAt) {
      this.order = this.sortTasks();
      this.resortAt = 2 * this.costs.count;
    }
    const ahead =
      slot.rateEstimate.rate === undefined ? 0 : this.pool.rateHistogram.shareFasterThan(slot.rateEstimate.rate);
    const grain = this.costPerLength();
    const fitLength = grain === undefined ? Number.POSITIVE_INFINITY : fitCost / grain;
    const index = this.order.pick(ahead, Math.min(this.findCutoff(slot), mostCost / (grain ?? 0)), fitLength);
    if (index === undefined) return undefined;
    this.takeOut(index);
    const start = this.job.first + BigInt(index);
    return [start, start + 1n];
  }

  remove(start: bigint, end: bigint): boolean {
    const [from, to] = [start, end].map((unit) => Number(unit - this.job.first)) as [number, number];
    if (this.isTaken.subarray(from, to).includes(1)) return false;
    for (let index = from; index < to; index++) this.takeOut(index);
    return true;
  }

  private takeOut(index: number): void {
    this.isTaken[index] = 1;
    this.order.remove(index);
    this.remaining--;
  }

  /** Returns the length of the longest task that the slot should start, in the units of `order`. */
  private findCutoff(slot: SlotState): number {
    const grain = this.costPerLength();
    if (grain === undefined || !this.isBusy()) return Number.POSITIVE_INFINITY;
    const length = grain * this.order.length;
    return lengthCutoff(slot, this.pool, { total: length, mean: length / this.remaining }) / grain;
  }

  /** Returns the cost of a task whose length in `order` is 1; undefined = unknown. */
  private costPerLength(): number | undefined {
    const seconds = this.costs.estimate(this.task(0));
    return seconds === undefined ? undefined : seconds / this.order.lengthOf(0);
  }

  private sortTasks(): TaskOrder {
    let [sum, known] = [0, 0];
    for (let index = 0; index < this.count; index++) {
      const length = this.costs.estimate(this.task(index));
      if (length === undefined) continue;
      sum += length;
      known++;
    }
    const usual = known === 0 ? 1 : sum / known;
    const ranks = Array.from({ length: this.count }, (_, index): TaskRank => {
      const task = this.task(index);
      const length = Math.max(1, Math.round((this.costs.estimate(task) ?? usual) / COST_RESOLUTION_SECONDS));
      return {
        priority: task.priority ?? this.job.priority,
        width: widthOf(task),
        length,
        bytes: countInputBytes(task),
      };
    });
    return new TaskOrder(ranks, (index) => this.isTaken[index] === 1);
  }

  private task(index: number): Chunk {
    const start = this.job.first + BigInt(index);
    return this.job.chunk(start, start + 1n);
  }
}

function countInputBytes({ spec }: Chunk): number {
  return spec.inputs.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
}
