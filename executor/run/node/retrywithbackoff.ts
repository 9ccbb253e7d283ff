import { type EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** Longest pause between two attempts to connect. */
const MAX_PAUSE_SECONDS = 60;

/** When to try again: after the first pause, after "hurry" of `changes` at once, and not at all once `signal` has fired. */
export interface RetrySchedule {
  firstPauseSeconds: number;
  changes: EventEmitter;
  signal: AbortSignal;
}

/** Calls `attempt` until it returns true, with exponential backoff. Resolves early when the signal fires. */
export async function retryWithBackoff(attempt: () => Promise<boolean>, schedule: RetrySchedule): Promise<void> {
  const { firstPauseSeconds, changes, signal } = schedule;
  try {
    for (let seconds = firstPauseSeconds; !signal.aborted; seconds = Math.min(seconds * 2, MAX_PAUSE_SECONDS)) {
      await interruptibleSleep(seconds, changes, signal);
      if (await attempt()) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Resolves after `seconds` or when `changes` emits "hurry"; rejects when `signal` fires. */
async function interruptibleSleep(seconds: number, changes: EventEmitter, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  try {
    await Promise.race([
      sleep(seconds * 1000, undefined, { signal: either }),
      once(changes, "hurry", { signal: either }),
    ]);
  } finally {
    done.abort();
  }
}
