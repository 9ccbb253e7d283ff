import { setTimeout as sleep } from "node:timers/promises";

/** Runs learn of a drain within a second. */
const DRAIN_SEEN_MS = 1500;
const LOOK_MS = 2000;
/** Between two chunks of a run, there is none for a moment. */
const IDLE_LOOKS = 2;

/** How long a drained node is waited for. `onUsed`: told who uses it, each time that this changes. */
export interface UnusedWait {
  waitSeconds: number;
  onUsed: (users: string) => void;
  stop: AbortSignal;
}

/**
 * Waits until nobody uses a node that has just been drained, in several looks; resolves with who still does after `waitSeconds`, a sentence each.
 * `look`: lists who does. Rejects as `look` does, and with an AbortError.
 */
export async function awaitUnused(
  look: () => Promise<string[]>,
  { waitSeconds, onUsed, stop }: UnusedWait,
): Promise<string[]> {
  await sleep(DRAIN_SEEN_MS, undefined, { signal: stop });
  const deadlineMs = performance.now() + waitSeconds * 1000;
  let said = "";
  for (let idle = 0; ; ) {
    const users = await look();
    idle = users.length === 0 ? idle + 1 : 0;
    if (idle >= IDLE_LOOKS || (users.length > 0 && performance.now() > deadlineMs)) return users;
    const text = users.join("; ");
    if (text !== "" && text !== said) onUsed(text);
    said = text;
    await sleep(LOOK_MS, undefined, { signal: stop });
  }
}
