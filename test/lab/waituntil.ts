import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `holds`; rejects, saying `what` was waited for, after `seconds`. */
export async function waitUntil(what: string, holds: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s in vain: ${what}`);
    await sleep(10);
  }
}
