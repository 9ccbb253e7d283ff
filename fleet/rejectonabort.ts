/**
 * Settles as `promise` does, or rejects with the reason of `signal` if that aborts first. Unlike `Promise.race` with a promise that
 * outlives many others, it leaves nothing behind: such a race keeps each of its values in memory until the last one is over.
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
