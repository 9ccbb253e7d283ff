/** Messages that nobody asked for: so many at once, and so many a second in the long run. */
const BURST_MESSAGES = 1000;
const MESSAGES_PER_SECOND = 20;

/** A token bucket for what a node says unasked, so that one that floods harms only itself. */
export class MessageRateLimiter {
  private tokens = BURST_MESSAGES;
  private refilledAtSeconds = 0;

  /** Takes one message at the time `now` (seconds); false where the node has said too much. */
  tryAcquire(now: number): boolean {
    this.tokens =
      Math.min(BURST_MESSAGES, this.tokens + Math.max(0, now - this.refilledAtSeconds) * MESSAGES_PER_SECOND) - 1;
    this.refilledAtSeconds = now;
    return this.tokens >= 0;
  }
}
