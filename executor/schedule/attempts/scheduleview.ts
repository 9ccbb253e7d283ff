import type { Chunk, Job } from "../../job/job.js";
import type { ChunkSizer } from "../queue/chunksizer.js";
import type { ChunkSource } from "../queue/chunksource.js";
import { QueueSource } from "../queue/queuesource.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import { TaskQueue } from "../queue/taskqueue.js";
import { type ChunkOverhead, findCostlyOverhead } from "../rates/chunkoverhead.js";
import type { CostModel } from "../rates/costmodel.js";
import type { Rates } from "../rates/rates.js";
import type { Pool } from "../slots/pool.js";
import { isUsable, type SlotState } from "../slots/slotstate.js";
import type { InFlightAttempt, InFlightAttempts } from "./inflight.js";
import { DemandEstimate, type SlotDemand } from "./slotdemand.js";

/** What the scheduler knows about slots and attempts, for those who show it. Durations are known once they were measured. */
export class ScheduleView {
  private readonly demand: DemandEstimate;

  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly attempts: InFlightAttempts,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    private readonly chunkSizer: ChunkSizer,
    private readonly rates: Rates,
    private readonly costs: CostModel,
  ) {
    this.demand = new DemandEstimate(job, pool, source, retryQueue, chunkSizer, rates, costs);
  }

  /** The slots of all nodes that have joined. */
  *slots(): Iterable<SlotState> {
    for (const { slots } of this.pool.nodes.values()) yield* slots;
  }

  get usableSlots(): number {
    return this.pool.usableSlots;
  }

  /** Whether any chunk waits for a slot, also one that is to be tried again later. */
  get hasWaitingWork(): boolean {
    return this.source.left > 0n || this.retryQueue.size > 0;
  }

  /**
   * Returns how much work waits for slots, and how long the present ones need. `now`: in seconds of the scheduler's clock. `isCounted`: the
   * slots that `remainingSeconds` relies on; default all.
   */
  estimateDemand(now: number, isCounted: (slot: SlotState) => boolean = () => true): SlotDemand {
    return this.demand.estimate(this.costPerUnit(), now, isCounted);
  }

  inFlight(): Iterable<InFlightAttempt> {
    return this.attempts.values();
  }

  /** Returns the estimated cost of a chunk, in the unit of the slots' rates; undefined = unknown. */
  costOf(chunk: Chunk): number | undefined {
    return this.costs.estimate(chunk);
  }

  /** Returns the estimated cost that a slot completes in a second; undefined = unknown. */
  rateOf(node: string, slot: number): number | undefined {
    return this.pool.slot(node, slot)?.rateEstimate.rate;
  }

  /** Returns the units a second that a slot of a range was measured to complete; undefined = not measured. */
  measuredRate({ rateEstimate }: SlotState): number | undefined {
    return this.job.kind === "range" && rateEstimate.evidence > 0 ? rateEstimate.rate : undefined;
  }

  /** Returns the seconds that an attempt should take in all, by what was measured on its slot; undefined = unknown. */
  expectedSeconds({ attempt, slot }: InFlightAttempt): number | undefined {
    const rate = this.job.kind === "range" ? this.measuredRate(slot) : (slot.rateEstimate.rate ?? 1);
    const cost = this.costs.estimate(attempt.chunk);
    return rate === undefined || cost === undefined ? undefined : this.rates.overhead.seconds + cost / rate;
  }

  /** What chunks have cost beside their work, where the job's `chunk` makes that more than a tenth of it; undefined otherwise. */
  get costlyOverhead(): ChunkOverhead | undefined {
    return findCostlyOverhead(this.job.sizing, this.rates.chunkOverhead);
  }

  /** Returns the seconds in which all usable slots together complete a waiting unit; undefined = unknown. */
  secondsPerUnit(): number | undefined {
    const { usableSlots } = this.pool;
    const [rate, cost] = [this.totalRate(), this.costPerUnit()];
    if (rate === undefined || cost === undefined || usableSlots === 0) return undefined;
    const unitsPerChunk = this.job.kind === "range" ? this.chunkSizer.lastSize : 1;
    return cost / rate + this.rates.overhead.seconds / (unitsPerChunk * usableSlots);
  }

  /** Returns the cost that all usable slots complete in a second; unmeasured slots of a range count as the mean of the others. */
  private totalRate(): number | undefined {
    if (this.job.kind !== "range") return this.pool.rate;
    let [sum, measured] = [0, 0];
    for (const slot of this.slots()) {
      const rate = isUsable(slot) ? this.measuredRate(slot) : undefined;
      if (rate === undefined) continue;
      sum += rate;
      measured++;
    }
    return measured === 0 ? undefined : (sum / measured) * this.pool.usableSlots;
  }

  private costPerUnit(): number | undefined {
    if (this.job.kind === "range") return 1;
    if (this.source instanceof TaskQueue || this.source instanceof QueueSource) return this.source.meanCost;
    return this.costs.estimate(this.job.chunk(this.job.first, this.job.first + 1n));
  }
}
