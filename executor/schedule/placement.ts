import type { Job } from "../job/job.js";
import type { PlacedChunk } from "./attempts/attemptstarter.js";
import type { Reservations } from "./attempts/reservations.js";
import type { ChunkSource } from "./queue/chunksource.js";
import type { PendingChunk } from "./queue/pendingchunk.js";
import type { RetryQueue } from "./queue/retryqueue.js";
import type { Pool } from "./slots/pool.js";
import { shouldAvoid } from "./slots/quarantine.js";
import { isShortOfMemory, type SlotState } from "./slots/slotstate.js";

/**
 * Chooses the next chunk and its slot: pending chunks before new ones, each to the best free slot that suits it. While no chunk has
 * succeeded, new ones come first: they tell whether a chunk that failed is itself at fault, or the program.
 */
export class Placement {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    private readonly reservations: Reservations,
  ) {}

  next(now: number): PlacedChunk | undefined {
    const exclusive = this.placeExclusive();
    if (exclusive !== undefined) return exclusive;
    if (this.pool.isTrial) return this.placeNew(now) ?? this.placePending();
    return this.placePending() ?? this.placeNew(now);
  }

  /** Returns a chunk that has failed before, if one is due and suits a free slot. */
  nextRetry(): PlacedChunk | undefined {
    return this.placePending();
  }

  private placeExclusive(): PlacedChunk | undefined {
    const ready = this.reservations.takeReady();
    if (ready === undefined) return undefined;
    this.retryQueue.take(ready.pending);
    return { chunk: ready.pending.chunk, history: ready.pending.history, slot: ready.slot, isExclusive: true };
  }

  private placePending(): PlacedChunk | undefined {
    for (const pin of this.retryQueue.pins()) {
      if (this.pool.freeSlots.findBest(pin, any) === undefined) continue;
      for (const retry of this.retryQueue.listDue(pin)) {
        const slot = this.pool.freeSlots.findBest(pin, (one) => this.isSuitable(retry, one));
        if (slot === undefined) continue;
        this.retryQueue.take(retry);
        return { chunk: retry.chunk, history: retry.history, slot, isExclusive: false };
      }
    }
    return undefined;
  }

  private isSuitable({ chunk, history, outOfMemoryNode }: PendingChunk, slot: SlotState): boolean {
    return (
      !shouldAvoid(history, chunk, slot, this.pool) && !(outOfMemoryNode === slot.node && isShortOfMemory(slot.home))
    );
  }

  /** Returns the next new chunk, sized for its slot. A chunk pinned to a GPU without a free slot goes to the retry queue. */
  private placeNew(now: number): PlacedChunk | undefined {
    for (;;) {
      const first = this.pool.freeSlots.findBest(undefined, any);
      if (first === undefined) return undefined;
      const units = this.source.take(first, now);
      if (units === undefined) return undefined;
      const chunk = this.job.chunk(...units);
      const slot = chunk.gpu === undefined ? first : this.pool.freeSlots.findBest(chunk.gpu, any);
      if (slot !== undefined) return { chunk, history: [], slot, isExclusive: false };
      this.retryQueue.add({ chunk, history: [], dueAt: Number.NEGATIVE_INFINITY });
    }
  }
}

function any(): boolean {
  return true;
}
