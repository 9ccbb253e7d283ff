import type { Job } from "../../job/job.js";
import type { ChunkSizer } from "../queue/chunksizer.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { CostModel } from "../rates/costmodel.js";
import type { Rates } from "../rates/rates.js";
import type { Pool } from "../slots/pool.js";
import { widthOf } from "../slots/slotgroups.js";
import { isUsable, type SlotState } from "../slots/slotstate.js";

/** More chunks than this are not counted. */
const MAX_WAITING_CHUNKS = 1_000_000;

/** How much work waits for slots. */
export interface SlotDemand {
  /** The seconds that all waiting work takes one slot of the mean rate; undefined = unknown. */
  readonly waitingSeconds: number | undefined;
  /** How many chunks the waiting work could be at most, each on a slot of its own (a range: chunks of the fewest units), up to a million. */
  readonly waitingChunks: number;
  /**
   * The seconds until the present slots have done all work, until their nodes end; Infinity = they never have, undefined = unknown.
   */
  readonly remainingSeconds: number | undefined;
}

/** Estimates how much work waits for slots, for those who decide how many more nodes are worth having. */
export class DemandEstimate {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    private readonly chunkSizer: ChunkSizer,
    private readonly rates: Rates,
    private readonly costs: CostModel,
  ) {}

  /**
   * Returns the demand. `costPerUnit`: of a unit that no slot has been given; undefined = unknown. `isCounted`: the slots that
   * `remainingSeconds` relies on. Costs as much as there are slots, and chunks that wait for another try.
   */
  estimate(costPerUnit: number | undefined, now: number, isCounted: (slot: SlotState) => boolean): SlotDemand {
    const left = Number(this.source.left);
    const meanRate = this.findMeanRate();
    const cost = this.sumCost(left, costPerUnit);
    const waitingSeconds =
      left + this.retryQueue.size === 0
        ? 0
        : cost === undefined || meanRate === undefined
          ? undefined
          : cost / meanRate + this.rates.overhead.seconds * this.countUsualChunks(left);
    return {
      waitingSeconds,
      waitingChunks: this.countWaitingChunks(left),
      remainingSeconds:
        waitingSeconds === undefined || meanRate === undefined
          ? undefined
          : this.findEnd(waitingSeconds * meanRate, meanRate, now, isCounted),
    };
  }

  private countUsualChunks(left: number): number {
    const unitsPerChunk = this.job.kind === "range" ? Math.max(1, this.chunkSizer.lastSize) : 1;
    return Math.ceil(left / unitsPerChunk) + this.retryQueue.size;
  }

  private countWaitingChunks(left: number): number {
    const fewest = this.job.kind === "range" ? Math.max(1, this.job.sizing?.min ?? 1) : 1;
    return Math.min(MAX_WAITING_CHUNKS, Math.ceil(left / fewest) + this.retryQueue.size);
  }

  /** Returns the cost of all waiting work on one slot; undefined = unknown. */
  private sumCost(left: number, costPerUnit: number | undefined): number | undefined {
    if (left > 0 && costPerUnit === undefined) return undefined;
    let sum = left * (costPerUnit ?? 0);
    for (const { chunk } of this.retryQueue.values()) {
      const cost = this.costs.estimate(chunk);
      if (cost === undefined) return undefined;
      sum += cost * widthOf(chunk);
    }
    return sum;
  }

  /** Returns the mean rate of the usable slots; where none is, of all that were measured. */
  private findMeanRate(): number | undefined {
    const { rate, usableSlots } = this.pool;
    return rate === undefined || usableSlots === 0 ? this.rates.meanRate : rate / usableSlots;
  }

  /** Returns in how many seconds the usable slots have completed `cost` and what they have begun, each until its node ends. */
  private findEnd(cost: number, meanRate: number, now: number, isCounted: (slot: SlotState) => boolean): number {
    const slots: { rate: number; seconds: number }[] = [];
    for (const node of this.pool.nodes.values())
      for (const slot of node.slots) {
        const seconds = (node.deadline ?? Number.POSITIVE_INFINITY) - now;
        const isAtWork = isUsable(slot) || (slot.endsTooSoon && slot.load > 0);
        if (isAtWork && seconds > 0 && isCounted(slot))
          slots.push({ rate: slot.rateEstimate.rate ?? meanRate, seconds });
      }
    slots.sort((a, b) => a.seconds - b.seconds);
    let left = cost + this.pool.workInProgress.sum(now).units;
    let rate = slots.reduce((sum, one) => sum + one.rate, 0);
    let elapsed = 0;
    for (const slot of slots) {
      if (left <= rate * (slot.seconds - elapsed)) return elapsed + left / rate;
      left -= rate * (slot.seconds - elapsed);
      elapsed = slot.seconds;
      rate -= slot.rate;
    }
    return left <= 0 ? elapsed : Number.POSITIVE_INFINITY;
  }
}
