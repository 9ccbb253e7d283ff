import { MusterError } from "../../../schemas/errors.js";

/** A connection that lasts this long ends a series of failures, and a grace period. */
const STABLE_CONNECTION_SECONDS = 10;
/** The same after the agent died or the node rebooted; longer, because each of these loses the chunks that ran there. */
const STABLE_AGENT_SECONDS = 60;
const FIRST_PAUSE_SECONDS = 0.5;
const MAX_PAUSE_SECONDS = 60;
/** Request timeouts are counted within this window. */
const TIMEOUT_WINDOW_SECONDS = 300;
/** The pause is reported from this number of consecutive failures on. */
const MIN_REPORTED_FAILURES = 2;

/**
 * Decides how long to wait before a node is reconnected: exponential backoff over consecutive failures of its connection, its agent
 * or the node itself. A brief reconnection resets neither the backoff nor the grace period. All times are in seconds since an
 * arbitrary origin.
 */
export class ReconnectBackoff {
  private failures = 0;
  private attachedAt = 0;
  private lostAt = 0;
  private graceBeganAt: number | undefined;
  private timeoutsAt: number[] = [];

  constructor(private readonly graceSeconds: number) {}

  /** Records an attachment. `agentIsNew`: the previous agent has died, or the node has rebooted. */
  recordAttached(now: number, agentIsNew: boolean): void {
    const lived = this.lostAt - this.attachedAt;
    if (lived >= STABLE_CONNECTION_SECONDS && lived < STABLE_AGENT_SECONDS) {
      if (agentIsNew) this.failures++;
      else this.failures = 0;
    }
    this.attachedAt = now;
  }

  /** Records that the connection was lost. */
  recordLost(now: number): void {
    const lived = now - this.attachedAt;
    this.lostAt = now;
    if (lived >= STABLE_AGENT_SECONDS) this.failures = 0;
    if (lived < STABLE_CONNECTION_SECONDS) this.failures++;
    else this.graceBeganAt = now;
    this.graceBeganAt ??= now;
  }

  /**
   * Records why a request failed though the node is reachable. Returns how often requests have timed out within the window, this time included;
   * else 0.
   */
  recordError(error: Error, now: number): number {
    if (!(error instanceof MusterError) || error.code !== "TIMEOUT") return 0;
    this.timeoutsAt = [...this.timeoutsAt.filter((at) => now - at < TIMEOUT_WINDOW_SECONDS), now];
    return this.timeoutsAt.length;
  }

  /** The pause before the first attempt to reconnect; at most half of the grace period, so that the node can be back in time. */
  get pauseSeconds(): number {
    const limit = Math.min(MAX_PAUSE_SECONDS, this.graceSeconds / 2);
    return Math.max(FIRST_PAUSE_SECONDS, Math.min(FIRST_PAUSE_SECONDS * 2 ** (this.failures - 1), limit));
  }

  /** What is left of a grace period that began before the latest loss; undefined where it began with the latest loss. */
  get graceLeftSeconds(): number | undefined {
    if (this.graceBeganAt === undefined || this.graceBeganAt === this.lostAt) return undefined;
    return Math.max(0, this.graceBeganAt + this.graceSeconds - this.lostAt);
  }

  /** Why reconnecting is delayed; undefined where it is not. */
  get reason(): string | undefined {
    if (this.failures < MIN_REPORTED_FAILURES) return undefined;
    return `this is failure ${this.failures} in a row, so reconnecting waits ${this.pauseSeconds} s`;
  }
}
