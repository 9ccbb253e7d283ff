/** Seconds that a connection must last for the next failure not to count as one in a row; it also ends a grace period. */
const STABLE_CONNECTION_SECONDS = 10;
/** The same where the agent died or the node rebooted: these cost the chunks that ran there. */
const STABLE_AGENT_SECONDS = 60;
const FIRST_PAUSE_SECONDS = 0.5;
const MAX_PAUSE_SECONDS = 60;
/** How long a request timeout is remembered. */
const TIMEOUT_WINDOW_SECONDS = 300;
/** Failures in a row from which on the pause is reported. */
const MIN_REPORTED_FAILURES = 2;

/**
 * How long a node rests before it is reconnected: exponential backoff over the failures in a row of its connection, its agent or
 * the node itself. A brief reconnection resets neither that nor the grace period. Times are seconds, from any origin.
 */
export class ReconnectBackoff {
  private failures = 0;
  private attachedAt = 0;
  private lostAt = 0;
  private graceBeganAt: number | undefined;
  private timeoutsAt: number[] = [];

  constructor(private readonly graceSeconds: number) {}

  /** It is attached. `agentIsNew`: the agent that was there before has died, or the node has rebooted. */
  recordAttached(now: number, agentIsNew: boolean): void {
    const lived = this.lostAt - this.attachedAt;
    if (lived >= STABLE_CONNECTION_SECONDS && lived < STABLE_AGENT_SECONDS) {
      if (agentIsNew) this.failures++;
      else this.failures = 0;
    }
    this.attachedAt = now;
  }

  /** Its connection has ended. */
  recordLost(now: number): void {
    const lived = now - this.attachedAt;
    this.lostAt = now;
    if (lived >= STABLE_AGENT_SECONDS) this.failures = 0;
    if (lived < STABLE_CONNECTION_SECONDS) this.failures++;
    else this.graceBeganAt = now;
    this.graceBeganAt ??= now;
  }

  /** A request to it timed out, though it can be reached. Returns how often that happened of late. */
  recordTimeout(now: number): number {
    this.timeoutsAt = [...this.timeoutsAt.filter((at) => now - at < TIMEOUT_WINDOW_SECONDS), now];
    return this.timeoutsAt.length;
  }

  /** Before the first try to reconnect. At most half of the grace period, so that the node can be back within it. */
  get pauseSeconds(): number {
    const limit = Math.min(MAX_PAUSE_SECONDS, this.graceSeconds / 2);
    return Math.max(FIRST_PAUSE_SECONDS, Math.min(FIRST_PAUSE_SECONDS * 2 ** (this.failures - 1), limit));
  }

  /** What is left of a grace period that began before the latest loss; undefined where it began with that. */
  get graceLeftSeconds(): number | undefined {
    if (this.graceBeganAt === undefined || this.graceBeganAt === this.lostAt) return undefined;
    return Math.max(0, this.graceBeganAt + this.graceSeconds - this.lostAt);
  }

  /** Why the node rests; undefined where it does not. */
  get reason(): string | undefined {
    if (this.failures < MIN_REPORTED_FAILURES) return undefined;
    return `this is failure ${this.failures} in a row, so it rests for ${this.pauseSeconds} s`;
  }
}
