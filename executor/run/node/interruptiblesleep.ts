import { type EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** Resolves after `seconds`, or when `changes` emits "hurry"; rejects when `over` fires. */
export async function interruptibleSleep(seconds: number, changes: EventEmitter, over: AbortSignal): Promise<void> {
  const hurried = new AbortController();
  const signal = AbortSignal.any([over, hurried.signal]);
  try {
    await Promise.race([sleep(seconds * 1000, undefined, { signal }), once(changes, "hurry", { signal })]);
  } finally {
    hurried.abort();
  }
}
