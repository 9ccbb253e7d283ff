/** Messages that nobody asked for: so many at once, and so many a second in the long run. */
const BURST = 1000;
const PER_SECOND = 20;

/** A token bucket for what a node says unasked, so that one that floods harms only itself. */
export class MessageBudget {
  private tokens = BURST;
  private filledAt = 0;

  /** Takes one message at the time `now` (seconds); false where the node has said too much. */
  spend(now: number): boolean {
    this.tokens = Math.min(BURST, this.tokens + Math.max(0, now - this.filledAt) * PER_SECOND) - 1;
    this.filledAt = now;
    return this.tokens >= 0;
  }
}
