import type { Job } from "../../job/job.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { DurationBound } from "../rates/durationbound.js";
import { widthOf } from "../slots/slotgroups.js";
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
    private readonly bound: DurationBound,
  ) {}

  /** Returns a chunk and the slot that it may use; undefined = there is none. */
  find(now: number): PlacedChunk | undefined {
    for (const place of this.reservation.listBackfill(now)) {
      const found = this.findRetry(place) ?? this.findNew(place, now);
      if (found !== undefined) return { ...found, slots: [place.slot], isExclusive: false };
    }
    return undefined;
  }

  private findRetry({ slot, seconds }: BackfillSlot): Omit<PlacedChunk, "slots" | "isExclusive"> | undefined {
    for (const pin of this.retryQueue.pins()) {
      if (pin !== undefined && pin !== slot.gpu) continue;
      let count = 0;
      for (const retry of this.retryQueue.listDue(pin)) {
        if (++count > MAX_CANDIDATES) break;
        const { chunk, history, longestRunSeconds } = retry;
        if (history.length > 0 || this.bound.longestSeconds(chunk, slot.rateEstimate.rate) > seconds) continue;
        this.retryQueue.take(retry);
        return { chunk, history, longestRunSeconds };
      }
    }
    return undefined;
  }

  private findNew({ slot, seconds }: BackfillSlot, now: number): Pick<PlacedChunk, "chunk" | "history"> | undefined {
    const { rate } = slot.rateEstimate;
    if (rate === undefined) return undefined;
    const mostCost = this.bound.mostCost(seconds, rate);
    if (mostCost <= 0) return undefined;
    for (let count = 0; count < MAX_CANDIDATES; count++) {
      const units = this.source.take(slot, now, mostCost);
      if (units === undefined) return undefined;
      const chunk = this.job.chunk(...units);
      const isPinnedElsewhere = chunk.gpu !== undefined && chunk.gpu !== slot.gpu;
      if (widthOf(chunk) === 1 && !isPinnedElsewhere && this.bound.longestSeconds(chunk, rate) <= seconds)
        return { chunk, history: [] };
      this.retryQueue.add({ chunk, history: [], dueAt: Number.NEGATIVE_INFINITY });
    }
    return undefined;
  }
}
