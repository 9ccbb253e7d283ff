const FIRST_LIMIT = 2;
/** Enough for twice the window of an SSH channel (2 MiB in OpenSSH and in ssh2), whatever the round-trip time. */
const MAX_LIMIT = 16;
/** Requests that take less than this many times the shortest latency have hardly waited for others, */
const MAX_UNQUEUED_RATIO = 1.5;
/** and those that take more than this many times as long have waited for many. */
const MIN_QUEUED_RATIO = 4;

/**
 * Limits how many write requests of one channel are in flight. Over a long distance many of them fill the link. Over a short one two keep the
 * server busy, and more only wait in its memory: OpenSSH enlarges the buffer of a channel by 32 KiB at a time and copies it each
 * time, which has taken more than a second. So the limit grows while latency is about the shortest so far, and shrinks where it is far
 * longer, as the window of TCP Vegas does (Brakmo and Peterson, 1995).
 */
export class UploadWindow {
  private readonly queue: (() => void)[] = [];
  private active = 0;
  private shortest = Number.POSITIVE_INFINITY;
  private limit = FIRST_LIMIT;

  /** `now`: milliseconds since an arbitrary origin. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Sends a request when its turn comes, in the order of the calls. Settles as `send` does. */
  async run<T>(send: () => Promise<T>): Promise<T> {
    if (this.active >= this.limit) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.active++;
    const sent = this.now();
    try {
      const value = await send();
      this.recordLatency(this.now() - sent);
      return value;
    } finally {
      this.active--;
      this.startWaiting();
    }
  }

  private recordLatency(milliseconds: number): void {
    this.shortest = Math.min(this.shortest, milliseconds);
    if (milliseconds < MAX_UNQUEUED_RATIO * this.shortest) this.limit = Math.min(MAX_LIMIT, this.limit + 1);
    else if (milliseconds > MIN_QUEUED_RATIO * this.shortest) this.limit = Math.max(FIRST_LIMIT, this.limit - 1);
  }

  private startWaiting(): void {
    while (this.active < this.limit) {
      const next = this.queue.shift();
      if (next === undefined) return;
      this.active++;
      next();
    }
  }
}
