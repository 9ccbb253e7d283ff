/** Calls back once at the earliest of the requested times, in seconds of `monotonicSeconds`. */
export class WakeUpTimer {
  private pending: { wakeAt: number; timer: NodeJS.Timeout } | undefined;

  constructor(private readonly onWakeUp: () => void) {}

  wakeAt(time: number): void {
    if (this.pending !== undefined && this.pending.wakeAt <= time) return;
    this.stop();
    const timer = setTimeout(
      () => {
        this.pending = undefined;
        this.onWakeUp();
      },
      Math.max(1, (time - monotonicSeconds()) * 1000),
    );
    this.pending = { wakeAt: time, timer };
  }

  stop(): void {
    clearTimeout(this.pending?.timer);
    this.pending = undefined;
  }
}

/** Seconds since an arbitrary origin; unaffected by changes of the system clock. */
export function monotonicSeconds(): number {
  return performance.now() / 1000;
}
