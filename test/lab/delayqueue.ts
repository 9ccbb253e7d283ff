/** Runs actions after a time, in the order they came though the time may change between them. */
export class DelayQueue {
  private due = 0;
  private readonly waiting: { at: number; action: () => void }[] = [];

  constructor(private readonly milliseconds: () => number) {}

  later(action: () => void): void {
    const wanted = performance.now() + this.milliseconds();
    this.due = Math.max(this.due, wanted);
    this.waiting.push({ at: this.due, action });
    if (this.waiting.length === 1) this.arm();
  }

  private arm(): void {
    const first = this.waiting[0];
    if (first === undefined) return;
    setTimeout(() => this.run(), Math.max(0, first.at - performance.now()));
  }

  private run(): void {
    const now = performance.now();
    // Timers may fire a little early; 0.5 ms is not distance.
    while (this.waiting[0] !== undefined && this.waiting[0].at <= now + 0.5) this.waiting.shift()!.action();
    this.arm();
  }
}
