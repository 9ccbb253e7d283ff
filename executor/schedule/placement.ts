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
import type { Deadlines } from "./slots/deadlines.js";
import type { EndingSlots } from "./slots/endingslots.js";
import type { Pool } from "./slots/pool.js";
import { shouldAvoid } from "./slots/quarantine.js";
import { SlotGroups, widthOf } from "./slots/slotgroups.js";
import { isShortOfMemory, type SlotState } from "./slots/slotstate.js";

/** The state of a run that decides where chunks go. */
export interface PlacementParts {
  pool: Pool;
  source: ChunkSource;
  retryQueue: RetryQueue;
  attempts: InFlightAttempts;
  costs: CostModel;
  rates: Rates;
  deadlines: Deadlines;
  endingSlots: EndingSlots;
}

/**
 * Chooses the next chunk and its slot: pending chunks before new ones, each to the best free slot that suits it. While no chunk has
 * succeeded, new ones come first: they tell whether a chunk that failed is itself at fault, or the program.
 */
export class Placement {
  private readonly pool: Pool;
  private readonly source: ChunkSource;
  private readonly retryQueue: RetryQueue;
  private readonly deadlines: Deadlines;
  private readonly endingSlots: EndingSlots;
  private readonly groups: SlotGroups;
  private readonly reservations: Reservations;
  private readonly groupReservation: GroupReservation;
  private readonly backfill: Backfill;

  constructor(
    private readonly job: Job,
    { pool, source, retryQueue, attempts, costs, rates, deadlines, endingSlots }: PlacementParts,
  ) {
    this.pool = pool;
    this.source = source;
    this.retryQueue = retryQueue;
    this.deadlines = deadlines;
    this.endingSlots = endingSlots;
    this.groups = new SlotGroups(pool);
    this.reservations = new Reservations(pool, source, retryQueue, attempts, deadlines);
    this.groupReservation = new GroupReservation(job, pool, retryQueue, attempts, costs, rates, deadlines);
    this.backfill = new Backfill(job, source, retryQueue, this.groupReservation, deadlines.bound);
  }

  /** Reserves nodes for chunks that must run there alone. */
  reserveNodes(now: number): Instruction[] {
    return this.reservations.update(now);
  }

  /** Holds slots for a chunk that needs several. */
  holdSlots(now: number): Instruction[] {
    return this.groupReservation.update(now);
  }

  next(now: number): PlacedChunk | undefined {
    const placed = this.findNext(now);
    if (placed === undefined) this.endingSlots.closeRefused(now);
    return placed;
  }

  /** Returns a chunk that has failed before, if one is due and suits a free slot. */
  nextRetry(now: number): PlacedChunk | undefined {
    return this.placeHeld(now) ?? this.placePending(now);
  }

  private findNext(now: number): PlacedChunk | undefined {
    const reserved = this.placeExclusive(now) ?? this.placeHeld(now);
    if (reserved !== undefined) return reserved;
    if (this.pool.isTrial && this.source.left > 0n) return this.placeNew(now) ?? this.placePending(now);
    return this.placePending(now) ?? this.placeNew(now) ?? this.backfill.find(now);
  }

  private placeExclusive(now: number): PlacedChunk | undefined {
    const ready = this.reservations.takeReady(now);
    return ready && { ...this.takeOut(ready.pending, ready.slots), isExclusive: true };
  }

  /** Places the chunk for which slots are held. */
  private placeHeld(now: number): PlacedChunk | undefined {
    const ready = this.groupReservation.takeReady(now);
    return ready && this.takeOut(ready.pending, ready.slots);
  }

  /** Takes a chunk out of the retry queue for these slots. */
  private takeOut(retry: PendingChunk, slots: readonly SlotState[]): PlacedChunk {
    this.retryQueue.take(retry);
    const { chunk, history, longestRunSeconds } = retry;
    return { chunk, history, slots, isExclusive: false, longestRunSeconds };
  }

  private placePending(now: number): PlacedChunk | undefined {
    return this.placeWide(now) ?? this.placeNarrow(now);
  }

  /** Places a waiting chunk that needs several slots: those that need the most come first, because few nodes have as many at once. */
  private placeWide(now: number): PlacedChunk | undefined {
    for (const width of this.retryQueue.widths()) {
      if (this.groups.findIdle(width) === undefined) continue;
      for (const retry of this.retryQueue.listWide(width)) {
        const fits = (slot: SlotState) => !isOutOfMemory(retry, slot) && this.endingSlots.fits(retry, slot, now);
        const slots =
          this.groups.findIdle(width, (slot) => this.isSuitable(retry, slot) && fits(slot)) ??
          this.groups.findIdle(width, fits);
        const placed = slots === undefined ? this.cutToFit(retry, now) : this.takeOut(retry, slots);
        if (placed !== undefined) return placed;
      }
    }
    return undefined;
  }

  private placeNarrow(now: number): PlacedChunk | undefined {
    for (const pin of this.retryQueue.pins()) {
      if (this.pool.freeSlots.findBest(pin, any) === undefined) continue;
      for (const retry of this.retryQueue.listDue(pin)) {
        const suits = (slot: SlotState) => this.isSuitable(retry, slot) && this.endingSlots.fits(retry, slot, now);
        const slot = this.pool.freeSlots.findBest(pin, suits);
        const placed =
          slot === undefined
            ? this.cutToFit(retry, now)
            : this.mayQueueOn(slot)
              ? this.takeOut(retry, [slot])
              : undefined;
        if (placed !== undefined) return placed;
      }
    }
    return undefined;
  }

  /** Places the part of a waiting chunk of a range that fits on a slot before its node ends. The rest waits. */
  private cutToFit(retry: PendingChunk, now: number): PlacedChunk | undefined {
    const { deadlines, retryQueue, pool } = this;
    const { chunk, history } = retry;
    if (!deadlines.isUsed || !deadlines.isDivisible(chunk)) return undefined;
    const width = widthOf(chunk);
    const takesPart = (slot: SlotState) =>
      slot.home.deadline !== undefined && this.isSuitable(retry, slot) && deadlines.admits(slot, now);
    const best = width === 1 ? pool.freeSlots.findBest(chunk.gpu, takesPart) : undefined;
    const slots = best === undefined || !this.mayQueueOn(best) ? undefined : [best];
    const found = width === 1 ? slots : this.groups.findIdle(width, takesPart);
    if (found === undefined) return undefined;
    const most = Math.min(deadlines.mostUnits(found[0]!, now), Number(chunk.end - chunk.start) - deadlines.leastUnits);
    const middle = chunk.start + BigInt(most);
    retryQueue.take(retry);
    const rest = this.job.chunk(middle, chunk.end);
    retryQueue.add({ chunk: rest, history: [...history], dueAt: Number.NEGATIVE_INFINITY });
    return { chunk: this.job.chunk(chunk.start, middle), history, slots: found, isExclusive: false };
  }

  private isSuitable(retry: PendingChunk, slot: SlotState): boolean {
    return !shouldAvoid(retry.history, retry.chunk, slot, this.pool) && !isOutOfMemory(retry, slot);
  }

  /**
   * Returns the next new chunk, sized for its slots. A chunk whose GPU is taken, or that needs more slots than are idle now, goes to the
   * retry queue.
   */
  private placeNew(now: number): PlacedChunk | undefined {
    // A slot that there is no chunk for is not taken out of use: its deadline does not matter.
    if (this.source.left === 0n) return undefined;
    const fewest = this.job.gpuCounts?.fewest ?? 1;
    const admits = this.deadlines.isUsed ? (slot: SlotState) => this.endingSlots.admits(slot, now) : any;
    for (;;) {
      const first = this.findSlots(fewest, undefined, admits);
      if (first === undefined) return undefined;
      const [slot] = first as [SlotState];
      const units = this.takeUnits(slot, now);
      if (units === undefined) {
        if (slot.home.deadline === undefined) return undefined;
        for (const one of first) this.endingSlots.close(one, now);
        continue;
      }
      const chunk = this.job.chunk(...units);
      const width = widthOf(chunk);
      const isForFirst = !this.deadlines.isUsed || this.endingSlots.fits({ chunk }, slot, now);
      const slots =
        isForFirst && width === fewest && chunk.gpu === undefined
          ? first
          : this.findSlots(width, chunk.gpu, (one) => this.endingSlots.fits({ chunk }, one, now));
      if (slots !== undefined) return { chunk, history: [], slots, isExclusive: false };
      this.retryQueue.add({ chunk, history: [], dueAt: Number.NEGATIVE_INFINITY });
      if (width > 1 && slot.load > 0) return undefined;
      if (!isForFirst) for (const one of first) this.endingSlots.close(one, now);
    }
  }

  /** Takes units that fit on a slot; or any, if there are none and the slot is the best that can be had. */
  private takeUnits(slot: SlotState, now: number): [start: bigint, end: bigint] | undefined {
    if (slot.home.deadline === undefined) return this.source.take(slot, now);
    const fitting = this.source.take(slot, now, undefined, this.deadlines.mostCost(slot, now));
    return fitting ?? (this.deadlines.takesAny(slot, now) ? this.source.take(slot, now) : undefined);
  }

  private findSlots(
    width: number,
    pin: number | undefined,
    suits: (slot: SlotState) => boolean,
  ): SlotState[] | undefined {
    if (width > 1) return this.groups.findIdle(width, suits);
    const slot = this.pool.freeSlots.findBest(pin, suits);
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
