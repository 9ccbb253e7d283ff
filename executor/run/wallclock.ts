import { monotonicSeconds } from "./timer.js";

/** A smaller difference is the resolution of the clocks, and not a change of the system clock or a suspended machine. */
const MAX_DRIFT_MS = 500;

/** Converts monotonic times to times of day, the same one to the same text until the system clock is changed. */
export class WallClock {
  private originMs = readOriginMs();

  /** Follows a change of the system clock. */
  update(): void {
    const nowMs = readOriginMs();
    if (Math.abs(nowMs - this.originMs) > MAX_DRIFT_MS) this.originMs = nowMs;
  }

  /** Returns the ISO 8601 time of `seconds`, as `monotonicSeconds` gives them. */
  toIso(seconds: number): string {
    return new Date(Math.round(this.originMs + seconds * 1000)).toISOString();
  }
}

/** When the monotonic clock was 0. */
function readOriginMs(): number {
  return Date.now() - monotonicSeconds() * 1000;
}
