import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunSession } from "./replay.js";
import { convertToSecondsAtWork } from "./worktime.js";

/** An attempt that runs, or ran when the coordinator was killed. `from`: seconds at work. */
export interface OpenAttempt {
  chunk: string;
  node: string;
  slot: number;
  attempt: number;
  from: number;
}

interface LiveSlot {
  node: string;
  slot: number;
  running?: { chunk: string; attempt: number; since: string };
}

/**
 * Returns what runs, from live.json in the run directory `path`; nothing where that file is missing, unreadable, or of another session
 * than the last of `sessions`.
 */
export function readRunningAttempts(path: string, sessions: readonly RunSession[]): OpenAttempt[] {
  const live = readLive(path);
  if (live === undefined || live.session !== sessions.at(-1)?.number) return [];
  return live.slots.flatMap(({ node, slot, running }) => {
    if (running === undefined) return [];
    const { chunk, attempt, since } = running;
    return [{ chunk, node, slot, attempt, from: convertToSecondsAtWork(sessions, Date.parse(since) / 1000) }];
  });
}

function readLive(path: string): { session: number; slots: LiveSlot[] } | undefined {
  try {
    const live = JSON.parse(readFileSync(join(path, "live.json"), "utf8"));
    return live.version === 1 && Array.isArray(live.slots) ? live : undefined;
  } catch {
    return undefined;
  }
}
