import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { PendingChunk } from "../queue/pendingchunk.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { CostModel } from "../rates/costmodel.js";
import type { Rates } from "../rates/rates.js";
import type { Deadlines } from "../slots/deadlines.js";
import { splitByKind } from "../slots/gpukinds.js";
import type { Pool } from "../slots/pool.js";
import { widthOf } from "../slots/slotgroups.js";
import { isUsable, type ScheduledNode, type SlotState } from "../slots/slotstate.js";
import type { InFlightAttempts } from "./inflight.js";

/** Slots that are held for a chunk, and when all of them should be idle, in seconds. */
interface HeldGroup {
  readonly pending: PendingChunk;
  readonly slots: readonly SlotState[];
  readonly startsAt: number;
}

/** An idle slot that is held, and for how many seconds a chunk may use it until then. */
export interface BackfillSlot {
  readonly slot: SlotState;
  readonly seconds: number;
}

/**
 * Holds slots for a chunk that needs several, so that chunks that need fewer do not keep taking them one by one: for the one of the
 * highest priority that has waited longest, those of the node where enough become idle first. What is queued on them moves elsewhere.
 * Until they are all idle, chunks that certainly end before that may use them (EASY backfilling, Lifka 1995). One chunk at a time has
 * slots held, so it waits at most as long as the chunks that run on them when its turn comes.
 */
export class GroupReservation {
  private held: HeldGroup | undefined;

  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly retryQueue: RetryQueue,
    private readonly attempts: InFlightAttempts,
    private readonly costs: CostModel,
    private readonly rates: Rates,
    private readonly deadlines: Deadlines,
  ) {}

  /** Begins, moves or ends the reservation, as the chunks that wait and the usable slots require. */
  update(now: number): Instruction[] {
    if (this.job.gpuCounts === undefined || this.job.gpuCounts.fewest === this.job.gpuCounts.most) return [];
    const pending = this.choosePending();
    const { held } = this;
    if (held !== undefined) {
      const isWanted = this.retryQueue.has(held.pending) && !this.isBefore(pending, held.pending);
      const mayStay = held.slots.every((slot) => isUsable(slot) && !slot.home.isReserved);
      if (isWanted && mayStay && this.endsInTime(held, now)) return [];
      this.release();
    }
    return pending === undefined ? [] : this.holdFor(pending, now);
  }

  /** Returns the chunk and its slots once they are all idle, and ends the reservation. */
  takeReady(now: number): Pick<HeldGroup, "pending" | "slots"> | undefined {
    const { held } = this;
    if (held?.slots.every((slot) => slot.load === 0) !== true || !this.pool.hasCapacity(held.slots[0]!.home))
      return undefined;
    if (!this.deadlines.fits(held.pending, held.slots[0]!, now)) return undefined;
    this.release();
    return held;
  }

  /** Ends the reservation: the chunk has found other slots, or waits no longer. */
  release(): void {
    for (const slot of this.held?.slots ?? []) this.pool.setHeld(slot, false);
    this.held = undefined;
  }

  /** Returns the idle slots that are held for later. */
  listBackfill(now: number): BackfillSlot[] {
    const { held } = this;
    if (held === undefined || held.startsAt <= now || !this.pool.hasCapacity(held.slots[0]!.home)) return [];
    return held.slots.flatMap((slot) => (slot.load === 0 ? [{ slot, seconds: held.startsAt - now }] : []));
  }

  private choosePending(): PendingChunk | undefined {
    let best: PendingChunk | undefined;
    for (const width of this.retryQueue.widths()) {
      const [first] = this.retryQueue.listWide(width);
      if (first !== undefined && (best === undefined || this.isBefore(first, best) || isOlder(first, best, this)))
        best = first;
    }
    return best;
  }

  private isBefore(one: PendingChunk | undefined, other: PendingChunk): boolean {
    return one !== undefined && this.priorityOf(one) > this.priorityOf(other);
  }

  priorityOf({ chunk }: PendingChunk): number {
    return chunk.priority ?? this.job.priority;
  }

  private holdFor(pending: PendingChunk, now: number): Instruction[] {
    const width = widthOf(pending.chunk);
    let best: Omit<HeldGroup, "pending"> | undefined;
    for (const node of this.pool.nodes.values()) {
      const group = this.findSoonest(node, width, now);
      if (group === undefined || !this.endsInTime({ pending, ...group }, now)) continue;
      if (best === undefined || group.startsAt < best.startsAt) best = group;
    }
    if (best === undefined) return [];
    this.held = { pending, ...best };
    for (const slot of best.slots) this.pool.setHeld(slot, true);
    return this.withdrawFrom(best.slots);
  }

  private endsInTime({ pending, slots, startsAt }: HeldGroup, now: number): boolean {
    return this.deadlines.fitsFrom(pending, slots[0]!, Math.max(now, startsAt));
  }

  /** Returns the slots of one kind of a node that should become idle first; undefined = it has too few. */
  private findSoonest(node: ScheduledNode, width: number, now: number): Omit<HeldGroup, "pending"> | undefined {
    const kinds = splitByKind(node.slots.filter(isUsable)).filter(({ length }) => length >= width);
    if (node.isReserved || kinds.length === 0) return undefined;
    const ends = this.findEnds(node, now);
    const idleAt = (slot: SlotState) => ends.get(slot) ?? now;
    const groups = kinds.map((usable) => {
      const soonest = usable.sort((a, b) => idleAt(a) - idleAt(b) || a.slot - b.slot).slice(0, width);
      return { slots: soonest.sort((a, b) => a.slot - b.slot), startsAt: Math.max(...soonest.map(idleAt)) };
    });
    return groups.sort((a, b) => a.startsAt - b.startsAt)[0];
  }

  /** Returns when the chunks that run on a node's slots should end; now, if that is unknown, so that nothing relies on it. */
  private findEnds({ name }: ScheduledNode, now: number): Map<SlotState, number> {
    const ends = new Map<SlotState, number>();
    for (const { attempt, slots, since, phase } of this.attempts.listOnNode(name)) {
      const { rate } = slots[0]!.rateEstimate;
      const cost = this.costs.estimate(attempt.chunk);
      const isFirst = phase === "running" || slots.every((slot) => slot.load === 1);
      const seconds = rate === undefined || cost === undefined ? 0 : this.rates.overhead.seconds + cost / rate;
      if (isFirst) for (const slot of slots) ends.set(slot, Math.max(now, since + seconds));
    }
    return ends;
  }

  /** Withdraws what waits behind other chunks: the first one on a slot runs, or is about to start. */
  private withdrawFrom(slots: readonly SlotState[]): Instruction[] {
    const [{ node }] = slots as [SlotState];
    const there = this.attempts.listOnNode(node);
    const queued = slots
      .flatMap((slot) => there.filter((one) => one.slots.includes(slot)).slice(1))
      .filter(({ phase, isWithdrawn, slots: own }) => phase === "queued" && !isWithdrawn && own.length === 1);
    for (const one of queued) one.isWithdrawn = true;
    const ids = queued.map(({ attempt }) => attempt.id);
    return ids.length === 0 ? [] : [{ do: "withdraw", node, ids }];
  }
}

function isOlder(one: PendingChunk, other: PendingChunk, by: Pick<GroupReservation, "priorityOf">): boolean {
  return by.priorityOf(one) === by.priorityOf(other) && (one.queuedAt ?? 0) < (other.queuedAt ?? 0);
}
