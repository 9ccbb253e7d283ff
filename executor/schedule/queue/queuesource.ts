import type { Job } from "../../job/job.js";
import type { CostModel } from "../rates/costmodel.js";
import { lengthCutoff } from "../slots/lengthcutoff.js";
import type { Pool } from "../slots/pool.js";
import type { SlotState } from "../slots/slotstate.js";
import type { ChunkSource } from "./chunksource.js";

/** How many tasks are looked at for one that is short enough. */
const MAX_LOOKED_AT = 64;
/** Entries of tasks that are gone are removed when there are so many before the first task that waits. */
const MIN_COMPACTED = 1024;

/** Tasks of one priority in the order of arrival. Those before `head`, and those that do not wait any more, are gone. */
interface Line {
  units: bigint[];
  head: number;
}

/**
 * The tasks of a queue that wait: by priority, then in the order in which they were accepted. More of them arrive until it is closed. It
 * keeps only those that wait.
 */
export class QueueSource implements ChunkSource {
  private readonly waiting = new Set<bigint>();
  private readonly lines = new Map<number, Line>();
  /** The priorities of `lines`, the highest first. */
  private priorities: number[] = [];

  /** `isBusy`: whether any slot is at work, so that others can wait for it. */
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly costs: CostModel,
    private readonly isBusy: () => boolean,
    public isOpen: boolean,
  ) {}

  get left(): bigint {
    return BigInt(this.waiting.size);
  }

  /** The estimated cost of the task that has waited longest, which stands for the others; undefined = unknown, or none waits. */
  get meanCost(): number | undefined {
    const [first] = this.waiting;
    return first === undefined ? undefined : this.costs.estimate(this.job.chunk(first, first + 1n));
  }

  /** Adds the tasks [start, end). */
  add(start: bigint, end: bigint): void {
    for (let unit = start; unit < end; unit++) {
      this.waiting.add(unit);
      this.lineOf(this.job.chunk(unit, unit + 1n).priority ?? this.job.priority).units.push(unit);
    }
  }

  take(
    slot: SlotState,
    _now: number,
    mostCost = Number.POSITIVE_INFINITY,
    fitCost = Number.POSITIVE_INFINITY,
  ): [start: bigint, end: bigint] | undefined {
    const most = Math.min(mostCost, fitCost, this.findCutoff(slot));
    let looks = 0;
    for (const priority of this.priorities) {
      const line = this.lines.get(priority)!;
      this.skipGone(line);
      for (let at = line.head; at < line.units.length; at++) {
        const unit = line.units[at]!;
        if (!this.waiting.has(unit)) continue;
        if (this.isShortEnough(unit, most)) {
          this.waiting.delete(unit);
          return [unit, unit + 1n];
        }
        if (++looks === MAX_LOOKED_AT) return undefined;
      }
    }
    return undefined;
  }

  remove(start: bigint, end: bigint): boolean {
    for (let unit = start; unit < end; unit++) if (!this.waiting.has(unit)) return false;
    for (let unit = start; unit < end; unit++) this.waiting.delete(unit);
    return true;
  }

  private isShortEnough(unit: bigint, most: number): boolean {
    return most === Number.POSITIVE_INFINITY || (this.costs.estimate(this.job.chunk(unit, unit + 1n)) ?? 0) <= most;
  }

  /** Returns the cost of the longest task that the slot should start: once no task can follow, slow slots leave long ones to others. */
  private findCutoff(slot: SlotState): number {
    const mean = this.isOpen || !this.isBusy() ? undefined : this.meanCost;
    if (mean === undefined) return Number.POSITIVE_INFINITY;
    return lengthCutoff(slot, this.pool, { total: mean * this.waiting.size, mean });
  }

  private lineOf(priority: number): Line {
    const known = this.lines.get(priority);
    if (known !== undefined) return known;
    const line = { units: [], head: 0 };
    this.lines.set(priority, line);
    this.priorities = [...this.lines.keys()].sort((a, b) => b - a);
    return line;
  }

  private skipGone(line: Line): void {
    while (line.head < line.units.length && !this.waiting.has(line.units[line.head]!)) line.head++;
    if (line.head < MIN_COMPACTED && line.head < line.units.length) return;
    line.units.splice(0, line.head);
    line.head = 0;
  }
}
