import type { RunSession } from "./replay.js";

/**
 * Converts a time (seconds since the epoch) into seconds at work, rounded to milliseconds: a time between two sessions is the end of the earlier
 * one, and a time before the first session is 0.
 */
export function convertToSecondsAtWork(sessions: readonly RunSession[], epochSeconds: number): number {
  for (let index = sessions.length - 1; index >= 0; index--) {
    const { began, from, seconds } = sessions[index]!;
    const elapsed = epochSeconds - Date.parse(began) / 1000;
    if (elapsed >= 0) return Math.round((from + Math.min(elapsed, seconds)) * 1000) / 1000;
  }
  return 0;
}
