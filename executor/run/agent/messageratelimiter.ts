const BURST_MESSAGES = 1000;
const MESSAGES_PER_SECOND = 20;

/** A token bucket for messages that the coordinator did not ask for: a node that floods it affects only itself. */
export class MessageRateLimiter {
  private tokens = BURST_MESSAGES;
  private refilledAtSeconds = 0;

  /** Takes a token for one message; false where none is left. `nowSeconds` comes from a monotonic clock. */
  tryAcquire(nowSeconds: number): boolean {
    const refill = Math.max(0, nowSeconds - this.refilledAtSeconds) * MESSAGES_PER_SECOND;
    this.tokens = Math.min(BURST_MESSAGES, this.tokens + refill) - 1;
    this.refilledAtSeconds = nowSeconds;
    return this.tokens >= 0;
  }
}
