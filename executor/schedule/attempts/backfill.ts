import type { Chunk, Job } from "../../job/job.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { CostModel } from "../rates/costmodel.js";
import type { Rates } from "../rates/rates.js";
import { widthOf } from "../slots/slotgroups.js";
import type { SlotState } from "../slots/slotstate.js";
import type { PlacedChunk } from "./attemptstarter.js";
import type { BackfillSlot, GroupReservation } from "./groupreservation.js";

/** How many chunks are looked at for one slot. */
const MAX_CANDIDATES = 64;

/** Finds chunks for one slot that end before the slots that are held for another chunk are all idle. */
export class Backfill {
  constructor(
    private readonly job: Job,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    private readonly reservation: GroupReservation,
    private readonly costs: CostModel,
    private readonly rates: Rates,
  ) {}

  /** Returns a chunk and the slot that it may use; undefined = there is none. */
  find(now: number): PlacedChunk | undefined {
    for (const place of this.reservation.listBackfill(now)) {
      const found = this.findRetry(place) ?? this.findNew(place, now);
      if (found !== undefined) return { ...found, slots: [place.slot], isExclusive: false };
    }
    return undefined;
  }

  private findRetry({ slot, seconds }: BackfillSlot): Pick<PlacedChunk, "chunk" | "history"> | undefined {
    for (const pin of this.retryQueue.pins()) {
      if (pin !== undefined && pin !== slot.gpu) continue;
      let count = 0;
      for (const retry of this.retryQueue.listDue(pin)) {
        if (++count > MAX_CANDIDATES) break;
        if (retry.history.length > 0 || this.longestSeconds(retry.chunk, slot) > seconds) continue;
        this.retryQueue.take(retry);
        return { chunk: retry.chunk, history: retry.history };
      }
    }
    return undefined;
  }

  private findNew({ slot, seconds }: BackfillSlot, now: number): Pick<PlacedChunk, "chunk" | "history"> | undefined {
    const { rate } = slot.rateEstimate;
    if (rate === undefined) return undefined;
    const mostCost = (rate * (seconds - this.rates.overhead.seconds)) / this.costs.ninthDecile;
    if (mostCost <= 0) return undefined;
    for (let count = 0; count < MAX_CANDIDATES; count++) {
      const units = this.source.take(slot, now, mostCost);
      if (units === undefined) return undefined;
      const chunk = this.job.chunk(...units);
      const isPinnedElsewhere = chunk.gpu !== undefined && chunk.gpu !== slot.gpu;
      if (widthOf(chunk) === 1 && !isPinnedElsewhere && this.longestSeconds(chunk, slot) <= seconds)
        return { chunk, history: [] };
      this.retryQueue.add({ chunk, history: [], dueAt: Number.NEGATIVE_INFINITY });
    }
    return undefined;
  }

  /** Returns how long a chunk runs at most: its timeout, or what nine of ten such chunks stay below. */
  private longestSeconds(chunk: Chunk, { rateEstimate: { rate } }: SlotState): number {
    const { timeout = Number.POSITIVE_INFINITY } = chunk.spec;
    const cost = this.costs.estimate(chunk);
    if (rate === undefined || cost === undefined) return timeout;
    return Math.min(timeout, this.rates.overhead.seconds + (cost * this.costs.ninthDecile) / rate);
  }
}
