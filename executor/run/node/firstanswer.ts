/** A machine of the local network that is up accepts a connection in far less time. */
const LATE_AFTER_SECONDS = 3;

/** Tracks whether a node has answered since the run began to dial it. */
export class FirstAnswer {
  private readonly beganMs = performance.now();
  hasAnswered = false;

  /** Records that the node, or the machine on the way to it that is dialled first, has accepted a connection. */
  recordAnswer(): void {
    this.hasAnswered = true;
  }

  /** What there is to say about a node that has not joined yet: "no answer so far (12 s)"; undefined = nothing unusual. */
  describeDelay(): string | undefined {
    const seconds = Math.floor(this.seconds);
    return this.hasAnswered || seconds < LATE_AFTER_SECONDS ? undefined : `no answer so far (${seconds} s)`;
  }

  /** Why a node that has not joined has done nothing for a run whose work is done. */
  describeAbsence(): string {
    return this.hasAnswered
      ? "it was not ready before the work was done"
      : `no answer within ${this.seconds.toFixed(1)} s, when the work was done`;
  }

  private get seconds(): number {
    return (performance.now() - this.beganMs) / 1000;
  }
}
