import { setTimeout as sleep } from "node:timers/promises";

const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;
/** A check that reads /proc takes milliseconds: pauses are so many times as long, so that waiting leaves the processors to the others. */
const PAUSE_PER_CHECK = 10;

/** Waits until `holds`; rejects, saying `what` was waited for, after `seconds`. */
export async function waitUntil(what: string, holds: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
  if (!(await comesTrue(holds, seconds))) throw new Error(`waited ${seconds} s in vain: ${what}`);
}

/** Waits until `holds`, for `seconds` at most. Resolves with whether it does. */
export async function comesTrue(holds: () => boolean | Promise<boolean>, seconds: number): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const began = performance.now();
    if (await holds()) return true;
    const now = performance.now();
    if (now > deadline) return false;
    await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, PAUSE_PER_CHECK * (now - began))));
  }
}
