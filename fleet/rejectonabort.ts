/**
 * Settles as `promise` does, or rejects with the reason of `signal` if the signal aborts first. It removes its listener afterwards. A
 * `Promise.race` against one long-lived promise would instead keep the result of every race in memory until that promise settles.
 */
export async function rejectOnAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Settles as `promise` does, or resolves with undefined after `ms` milliseconds, or as soon as `signal` aborts. */
export async function resolveWithin<T>(promise: Promise<T>, ms: number, signal?: AbortSignal): Promise<T | undefined> {
  const controller = new AbortController();
  const stop = () => controller.abort(STOPPED);
  const timer = setTimeout(stop, ms);
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  try {
    return await rejectOnAbort(promise, controller.signal);
  } catch (error) {
    if (error === STOPPED) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

const STOPPED = Symbol("stopped");
