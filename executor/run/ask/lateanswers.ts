/** Knows since when an answer is expected, and when to say that it is late. */
export class LateAnswers {
  /** Monotonic seconds. */
  private since: number | undefined;
  private limitSeconds: number;

  constructor(private readonly firstLimitSeconds: number) {
    this.limitSeconds = firstLimitSeconds;
  }

  /** For how long an answer was expected when that was last due. */
  get seconds(): number {
    return this.limitSeconds / 2;
  }

  /** Notes that the program has said something. */
  recordAnswer(): void {
    this.since = undefined;
    this.limitSeconds = this.firstLimitSeconds;
  }

  /** Returns whether to report now that an answer is late. `isWaiting`: one is expected; `now`: monotonic seconds. */
  isDue(isWaiting: boolean, now: number): boolean {
    if (!isWaiting) this.since = undefined;
    else this.since ??= now;
    if (this.since === undefined || now - this.since < this.limitSeconds) return false;
    this.limitSeconds *= 2;
    return true;
  }
}
