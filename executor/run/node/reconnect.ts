/** Seconds that a connection must last for the next failure not to count as one in a row; it also ends a grace period. */
const STABLE_CONNECTION_SECONDS = 10;
/** The same where the agent died or the node rebooted: these cost the chunks that ran there. */
const STABLE_AGENT_SECONDS = 60;
const FIRST_PAUSE_SECONDS = 0.5;
const LONGEST_PAUSE_SECONDS = 60;
/** How long a request timeout is remembered. */
const TIMEOUT_MEMORY_SECONDS = 300;
/** Failures in a row from which on the pause is reported. */
const REPORTED_FAILURES = 2;

/**
 * How long a node rests before it is reconnected: exponential backoff over the failures in a row of its connection, its agent or
 * the node itself. A brief reconnection resets neither that nor the grace period. Times are seconds, from any origin.
 */
export class ReconnectBackoff {
  private failures = 0;
  private attachedAt = 0;
  private lostAt = 0;
  private graceBegan: number | undefined;
  private timeouts: number[] = [];

  constructor(private readonly graceSeconds: number) {}

  /** It is attached. `agentIsNew`: the agent that was there before has died, or the node has rebooted. */
  attached(now: number, agentIsNew: boolean): void {
    const lived = this.lostAt - this.attachedAt;
    if (lived >= STABLE_CONNECTION_SECONDS && lived < STABLE_AGENT_SECONDS) {
      if (agentIsNew) this.failures++;
      else this.failures = 0;
    }
    this.attachedAt = now;
  }

  /** Its connection has ended. */
  lost(now: number): void {
    const lived = now - this.attachedAt;
    this.lostAt = now;
    if (lived >= STABLE_AGENT_SECONDS) this.failures = 0;
    if (lived < STABLE_CONNECTION_SECONDS) this.failures++;
    else this.graceBegan = now;
    this.graceBegan ??= now;
  }

  /** A request to it timed out, though it can be reached. Returns how often that happened of late. */
  timedOut(now: number): number {
    this.timeouts = [...this.timeouts.filter((at) => now - at < TIMEOUT_MEMORY_SECONDS), now];
    return this.timeouts.length;
  }

  /** Before the first try to reconnect. At most half of the grace period, so that the node can be back within it. */
  get pauseSeconds(): number {
    const limit = Math.min(LONGEST_PAUSE_SECONDS, this.graceSeconds / 2);
    return Math.max(FIRST_PAUSE_SECONDS, Math.min(FIRST_PAUSE_SECONDS * 2 ** (this.failures - 1), limit));
  }

  /** What is left of a grace period that began before the latest loss; undefined where it began with that. */
  get graceLeftSeconds(): number | undefined {
    if (this.graceBegan === undefined || this.graceBegan === this.lostAt) return undefined;
    return Math.max(0, this.graceBegan + this.graceSeconds - this.lostAt);
  }

  /** Why the node rests; undefined where it does not. */
  get reason(): string | undefined {
    if (this.failures < REPORTED_FAILURES) return undefined;
    return `this is failure ${this.failures} in a row, so it rests for ${this.pauseSeconds} s`;
  }
}
