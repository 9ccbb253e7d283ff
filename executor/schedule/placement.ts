import type { Job } from "../job/job.js";
import type { PlacedChunk } from "./attempts/attemptstarter.js";
import { Backfill } from "./attempts/backfill.js";
import { GroupReservation } from "./attempts/groupreservation.js";
import type { InFlightAttempts } from "./attempts/inflight.js";
import { Reservations } from "./attempts/reservations.js";
import type { Instruction } from "./events.js";
import type { ChunkSource } from "./queue/chunksource.js";
import type { PendingChunk } from "./queue/pendingchunk.js";
import type { RetryQueue } from "./queue/retryqueue.js";
import type { CostModel } from "./rates/costmodel.js";
import type { Rates } from "./rates/rates.js";
import type { Pool } from "./slots/pool.js";
import { shouldAvoid } from "./slots/quarantine.js";
import { SlotGroups, widthOf } from "./slots/slotgroups.js";
import { isShortOfMemory, type SlotState } from "./slots/slotstate.js";

/**
 * Chooses the next chunk and its slot: pending chunks before new ones, each to the best free slot that suits it. While no chunk has
 * succeeded, new ones come first: they tell whether a chunk that failed is itself at fault, or the program.
 */
export class Placement {
  private readonly groups: SlotGroups;
  private readonly reservations: Reservations;
  private readonly groupReservation: GroupReservation;
  private readonly backfill: Backfill;

  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly source: ChunkSource,
    private readonly retryQueue: RetryQueue,
    attempts: InFlightAttempts,
    costs: CostModel,
    rates: Rates,
  ) {
    this.groups = new SlotGroups(pool);
    this.reservations = new Reservations(pool, source, retryQueue, attempts);
    this.groupReservation = new GroupReservation(job, pool, retryQueue, attempts, costs, rates);
    this.backfill = new Backfill(job, source, retryQueue, this.groupReservation, costs, rates);
  }

  /** Reserves nodes for chunks that must run there alone. */
  reserveNodes(): Instruction[] {
    return this.reservations.update();
  }

  /** Holds slots for a chunk that needs several. */
  holdSlots(now: number): Instruction[] {
    return this.groupReservation.update(now);
  }

  next(now: number): PlacedChunk | undefined {
    const reserved = this.placeExclusive() ?? this.placeHeld();
    if (reserved !== undefined) return reserved;
    if (this.pool.isTrial) return this.placeNew(now) ?? this.placePending();
    return this.placePending() ?? this.placeNew(now) ?? this.backfill.find(now);
  }

  /** Returns a chunk that has failed before, if one is due and suits a free slot. */
  nextRetry(): PlacedChunk | undefined {
    return this.placeHeld() ?? this.placePending();
  }

  private placeExclusive(): PlacedChunk | undefined {
    const ready = this.reservations.takeReady();
    if (ready === undefined) return undefined;
    this.retryQueue.take(ready.pending);
    return { chunk: ready.pending.chunk, history: ready.pending.history, slots: ready.slots, isExclusive: true };
  }

  /** Places the chunk for which slots are held. */
  private placeHeld(): PlacedChunk | undefined {
    const ready = this.groupReservation.takeReady();
    if (ready === undefined) return undefined;
    this.retryQueue.take(ready.pending);
    return { chunk: ready.pending.chunk, history: ready.pending.history, slots: ready.slots, isExclusive: false };
  }

  private placePending(): PlacedChunk | undefined {
    return this.placeWide() ?? this.placeNarrow();
  }

  /** Places a waiting chunk that needs several slots: those that need the most come first, because few nodes have as many at once. */
  private placeWide(): PlacedChunk | undefined {
    for (const width of this.retryQueue.widths()) {
      if (this.groups.findIdle(width) === undefined) continue;
      for (const retry of this.retryQueue.listWide(width)) {
        const hasRoom = (slot: SlotState) => !isOutOfMemory(retry, slot);
        const slots =
          this.groups.findIdle(width, (slot) => this.isSuitable(retry, slot)) ?? this.groups.findIdle(width, hasRoom);
        if (slots === undefined) continue;
        this.retryQueue.take(retry);
        return { chunk: retry.chunk, history: retry.history, slots, isExclusive: false };
      }
    }
    return undefined;
  }

  private placeNarrow(): PlacedChunk | undefined {
    for (const pin of this.retryQueue.pins()) {
      if (this.pool.freeSlots.findBest(pin, any) === undefined) continue;
      for (const retry of this.retryQueue.listDue(pin)) {
        const slot = this.pool.freeSlots.findBest(pin, (one) => this.isSuitable(retry, one));
        if (slot === undefined || !this.mayQueueOn(slot)) continue;
        this.retryQueue.take(retry);
        return { chunk: retry.chunk, history: retry.history, slots: [slot], isExclusive: false };
      }
    }
    return undefined;
  }

  private isSuitable(retry: PendingChunk, slot: SlotState): boolean {
    return !shouldAvoid(retry.history, retry.chunk, slot, this.pool) && !isOutOfMemory(retry, slot);
  }

  /**
   * Returns the next new chunk, sized for its slots. A chunk whose GPU is taken, or that needs more slots than are idle now, goes to the
   * retry queue.
   */
  private placeNew(now: number): PlacedChunk | undefined {
    const fewest = this.job.gpuCounts?.fewest ?? 1;
    for (;;) {
      const first = this.findSlots(fewest, undefined);
      if (first === undefined) return undefined;
      const units = this.source.take(first[0]!, now);
      if (units === undefined) return undefined;
      const chunk = this.job.chunk(...units);
      const width = widthOf(chunk);
      const slots = width === fewest && chunk.gpu === undefined ? first : this.findSlots(width, chunk.gpu);
      if (slots !== undefined) return { chunk, history: [], slots, isExclusive: false };
      this.retryQueue.add({ chunk, history: [], dueAt: Number.NEGATIVE_INFINITY });
      if (width > 1 && first[0]!.load > 0) return undefined;
    }
  }

  private findSlots(width: number, pin: number | undefined): SlotState[] | undefined {
    if (width > 1) return this.groups.findIdle(width);
    const slot = this.pool.freeSlots.findBest(pin, any);
    return slot !== undefined && this.mayQueueOn(slot) ? [slot] : undefined;
  }

  /**
   * Whether a chunk may be given to a slot that is at work. Not while others wait for several slots: these may all become idle at once,
   * and be taken by one of those.
   */
  private mayQueueOn(slot: SlotState): boolean {
    return slot.load === 0 || !this.retryQueue.hasWide;
  }
}

function isOutOfMemory({ outOfMemoryNode }: PendingChunk, slot: SlotState): boolean {
  return outOfMemoryNode === slot.node && isShortOfMemory(slot.home);
}

function any(): boolean {
  return true;
}
