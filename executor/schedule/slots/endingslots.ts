import type { Deadlines, SlotRequest } from "./deadlines.js";
import type { Pool } from "./pool.js";
import type { SlotState } from "./slotstate.js";

/** Slots that are out of use are looked at again after so many seconds, if anything has happened since. */
const REVIEW_SECONDS = 5;

/**
 * Takes slots out of use whose nodes end before what waits would end there, so that they are not looked at for each chunk and do not count
 * as capacity. They are put back when what waits, or what is known about durations, may have changed.
 */
export class EndingSlots {
  /** Slots that a chunk has been refused since something was placed last. */
  private readonly refused = new Set<SlotState>();
  private readonly closed = new Set<SlotState>();
  private hasNews = false;
  private reviewedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly pool: Pool,
    private readonly deadlines: Deadlines,
  ) {}

  /** Whether any new chunk may fit on a slot. */
  admits(slot: SlotState, now: number): boolean {
    return !this.deadlines.isUsed || this.deadlines.admits(slot, now) || this.refuse(slot);
  }

  /** Whether a chunk fits on a slot. */
  fits(request: SlotRequest, slot: SlotState, now: number): boolean {
    return !this.deadlines.isUsed || this.deadlines.fits(request, slot, now) || this.refuse(slot);
  }

  /** Takes a slot out of use. */
  close(slot: SlotState, now: number): void {
    if (this.closed.size === 0) this.reviewedAt = now;
    this.pool.setEndsTooSoon(slot, true);
    this.closed.add(slot);
  }

  /** Takes slots out of use that have got a chunk, if none can follow it. */
  closeFull(slots: readonly SlotState[], now: number): void {
    if (!this.deadlines.isUsed) return;
    for (const slot of slots) if (!this.deadlines.admits(slot, now)) this.close(slot, now);
  }

  /** Takes slots out of use that nothing was found for. */
  closeRefused(now: number): void {
    if (this.refused.size === 0) return;
    for (const slot of this.refused) if (this.pool.mayTakeWork(slot)) this.close(slot, now);
    this.refused.clear();
  }

  /** Puts slots back that may take new chunks. `hasNews`: whether anything has happened since the last call. */
  review(hasNews: boolean, now: number): void {
    this.hasNews ||= hasNews;
    if (this.closed.size === 0 || !this.hasNews || now < this.reviewedAt + REVIEW_SECONDS) return;
    this.reviewedAt = now;
    this.hasNews = false;
    for (const slot of this.closed) {
      const isAdmitted = this.deadlines.admits(slot, now);
      if (isAdmitted) this.pool.setEndsTooSoon(slot, false);
      if (isAdmitted || !slot.endsTooSoon || this.deadlines.secondsFor(slot, now) <= 0) this.closed.delete(slot);
    }
  }

  /** When `review` should be called again (seconds); undefined = when something happens. */
  nextReviewAt(): number | undefined {
    return this.closed.size > 0 && this.hasNews ? this.reviewedAt + REVIEW_SECONDS : undefined;
  }

  private refuse(slot: SlotState): false {
    this.refused.add(slot);
    return false;
  }
}
