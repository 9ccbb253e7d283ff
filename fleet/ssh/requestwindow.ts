import { rejectOnAbort } from "../rejectonabort.js";

/**
 * Requests of one file under way at once: its request window. It is twice the window of an SSH channel (2 MiB in OpenSSH and in ssh2),
 * so a larger one would only wait in memory, whatever the round-trip time.
 */
const WINDOW_REQUESTS = 16;

/** No block of a transfer came or went for too long. */
export class StalledError extends Error {
  constructor(readonly seconds: number) {
    super(`no progress for ${seconds} s`);
  }
}

/**
 * Keeps up to 16 of `starts` under way and hands their values to `take` in order, one at a time. Rejects with the first error,
 * or with Stalled after `seconds` without one more value.
 */
export async function runInWindow<T>(
  starts: Iterable<() => Promise<T>>,
  take: (value: T) => Promise<void> | void,
  seconds: number,
): Promise<void> {
  const stall = new StallTimer(seconds);
  const pending: Promise<T>[] = [];
  const next = async () => {
    const value = await rejectOnAbort(pending.shift()!, stall.signal);
    // However long this side takes with it, the node is not to blame.
    stall.pause();
    await take(value);
    stall.progress();
  };
  try {
    for (const start of starts) {
      if (pending.length >= WINDOW_REQUESTS) await next();
      const value = start();
      // Its error is seen when its turn comes, unless an earlier one ends everything first.
      value.catch(() => {});
      pending.push(value);
    }
    while (pending.length > 0) await next();
  } finally {
    stall.stop();
  }
}

/** Aborts its signal with Stalled after `seconds` without progress. */
class StallTimer {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private last = performance.now();

  constructor(seconds: number) {
    this.timer = setInterval(
      () => {
        if (performance.now() - this.last >= seconds * 1000) this.controller.abort(new StalledError(seconds));
      },
      (seconds * 1000) / 10,
    );
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  progress(): void {
    this.last = performance.now();
  }

  pause(): void {
    this.last = Number.POSITIVE_INFINITY;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
