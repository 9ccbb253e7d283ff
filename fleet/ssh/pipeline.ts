/** What one SFTP request carries: the most that OpenSSH takes in one. */
export const BLOCK = 255 * 1024;

/** Requests of one file under way at once. */
const DEPTH = 64;

/** No block of a transfer came or went for too long. */
export class Stalled extends Error {
  constructor(readonly seconds: number) {
    super(`no progress for ${seconds} s`);
  }
}

/**
 * Keeps up to 64 of `starts` under way and hands their values to `take` in order, one at a time. Rejects with the first error,
 * or with Stalled after `seconds` without one more value.
 */
export async function pipeline<T>(
  starts: Iterable<() => Promise<T>>,
  take: (value: T) => Promise<void> | void,
  seconds: number,
): Promise<void> {
  const stall = new Stall(seconds);
  const pending: Promise<T>[] = [];
  const next = async () => {
    const value = await Promise.race([pending.shift()!, stall.late]);
    // However long this side takes with it, the node is not to blame.
    stall.pause();
    await take(value);
    stall.progress();
  };
  try {
    for (const start of starts) {
      if (pending.length >= DEPTH) await next();
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

class Stall {
  readonly late: Promise<never>;
  private readonly timer: NodeJS.Timeout;
  private last = performance.now();

  constructor(seconds: number) {
    let giveUp: (error: Error) => void = () => {};
    this.late = new Promise((_, reject) => {
      giveUp = reject;
    });
    this.late.catch(() => {});
    const check = () => performance.now() - this.last >= seconds * 1000 && giveUp(new Stalled(seconds));
    this.timer = setInterval(check, (seconds * 1000) / 10);
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

/** `[offset, length]` of the blocks of `size` bytes. */
export function* blocks(size: number): Generator<[offset: number, length: number]> {
  for (let offset = 0; offset < size; offset += BLOCK) yield [offset, Math.min(BLOCK, size - offset)];
}
