import type { Chunk, Job } from "../../job/job.js";
import { kindOf, type TaskLengths } from "../rates/tasklengths.js";
import type { Pool } from "../slots/pool.js";
import { reach } from "../slots/reach.js";
import type { SlotState } from "../slots/slot.js";
import { Order, type Rank } from "./order.js";
import type { Source } from "./source.js";

/** Lengths are put in order as whole numbers of this many seconds. */
const GRAIN = 0.001;
/** Tasks whose lengths are learned apart are put in order anew after so many have ended, and at each doubling. */
const FIRST_LOOK = 16;

/**
 * The tasks that nobody has been given: by priority, and those that are expected to take longest first. The fastest slots begin
 * with the longest, slower ones with those that the fastest will not come to, so that what ends last is short everywhere.
 */
export class TaskQueue implements Source {
  private readonly count: number;
  private readonly isGone: Uint8Array;
  private order: Order;
  private lookAgain: number;
  private remaining: number;

  /** `isBusy`: whether any slot is at work, so that others can wait for it. */
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly lengths: TaskLengths,
    private readonly isBusy: () => boolean,
  ) {
    this.count = this.remaining = Number(job.units);
    this.isGone = new Uint8Array(this.count);
    this.order = this.sorted();
    const kinds = new Set(Array.from(this.isGone, (_, index) => kindOf(this.task(index))));
    this.lookAgain = kinds.size > 1 ? FIRST_LOOK : Number.POSITIVE_INFINITY;
  }

  get left(): bigint {
    return BigInt(this.remaining);
  }

  take(slot: SlotState): [start: bigint, end: bigint] | undefined {
    if (this.remaining === 0) return undefined;
    if (this.lengths.count >= this.lookAgain) {
      this.order = this.sorted();
      this.lookAgain = 2 * this.lengths.count;
    }
    const ahead = slot.speed.rate === undefined ? 0 : this.pool.speeds.faster(slot.speed.rate);
    const index = this.order.pick(ahead, this.longest(slot));
    if (index === undefined) return undefined;
    this.takeOut(index);
    const start = this.job.first + BigInt(index);
    return [start, start + 1n];
  }

  remove(start: bigint, end: bigint): boolean {
    const [from, to] = [start, end].map((unit) => Number(unit - this.job.first)) as [number, number];
    if (this.isGone.subarray(from, to).includes(1)) return false;
    for (let index = from; index < to; index++) this.takeOut(index);
    return true;
  }

  private takeOut(index: number): void {
    this.isGone[index] = 1;
    this.order.remove(index);
    this.remaining--;
  }

  /** Of the tasks that the slot should begin, in the measure of `order`. */
  private longest(slot: SlotState): number {
    const seconds = this.lengths.of(this.task(0));
    if (seconds === undefined || !this.isBusy()) return Number.POSITIVE_INFINITY;
    const grain = seconds / this.order.lengthOf(0);
    const length = grain * this.order.length;
    return reach(slot, this.pool, { length, mean: length / this.remaining }) / grain;
  }

  private sorted(): Order {
    let [sum, known] = [0, 0];
    for (let index = 0; index < this.count; index++) {
      const length = this.lengths.of(this.task(index));
      if (length === undefined) continue;
      sum += length;
      known++;
    }
    const usual = known === 0 ? 1 : sum / known;
    const ranks = Array.from({ length: this.count }, (_, index): Rank => {
      const task = this.task(index);
      const length = Math.max(1, Math.round((this.lengths.of(task) ?? usual) / GRAIN));
      return { priority: task.priority ?? this.job.priority, length, bytes: bytesOf(task) };
    });
    return new Order(ranks, (index) => this.isGone[index] === 1);
  }

  private task(index: number): Chunk {
    const start = this.job.first + BigInt(index);
    return this.job.chunk(start, start + 1n);
  }
}

function bytesOf({ work }: Chunk): number {
  return work.inputs.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
}
