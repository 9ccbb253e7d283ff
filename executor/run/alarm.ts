/** Rings once at the earliest of the times that it was set to since it last rang; times in seconds of `clock`. */
export class Alarm {
  private set: { at: number; timer: NodeJS.Timeout } | undefined;

  constructor(private readonly ring: () => void) {}

  at(time: number): void {
    if (this.set !== undefined && this.set.at <= time) return;
    this.stop();
    const timer = setTimeout(
      () => {
        this.set = undefined;
        this.ring();
      },
      Math.max(1, (time - clock()) * 1000),
    );
    this.set = { at: time, timer };
  }

  stop(): void {
    clearTimeout(this.set?.timer);
    this.set = undefined;
  }
}

/** Seconds, from any origin. */
export function clock(): number {
  return performance.now() / 1000;
}
