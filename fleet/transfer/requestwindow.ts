import { rejectOnAbort } from "../rejectonabort.js";

/**
 * The request window of one file: the most requests in flight. They carry twice the window of an SSH channel (2 MiB in OpenSSH and in
 * ssh2), so with more of them data would only wait in memory, whatever the round-trip time.
 */
const WINDOW_REQUESTS = 16;

/** A transfer made no progress for `seconds`. */
export class StalledError extends Error {
  constructor(readonly seconds: number) {
    super(`no progress for ${seconds} s`);
  }
}

/**
 * Sliding window: keeps up to 16 of `starts` in flight and passes their values to `take` in order, one at a time. Rejects with the first
 * error, or with StalledError after `seconds` without a further value.
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
    // The time that this side needs does not count as a stall of the node.
    stall.pause();
    await take(value);
    stall.progress();
  };
  try {
    for (const start of starts) {
      if (pending.length >= WINDOW_REQUESTS) await next();
      const value = start();
      // `next` reports its error when its turn comes, unless an earlier error rejects first.
      value.catch(() => {});
      pending.push(value);
    }
    while (pending.length > 0) await next();
  } finally {
    stall.stop();
  }
}

/** Aborts its signal with StalledError after `seconds` without progress. */
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
