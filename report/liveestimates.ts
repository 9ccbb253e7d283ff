import type { LiveAttempt, LiveRun, LiveSlot } from "../executor/run/record/liverun.js";

/** A chunk that has taken this many times its expected duration, and this many seconds, is far over it. */
const FAR_OVER_FACTOR = 3;
const FAR_OVER_SECONDS = 30;
/** A program that reports its progress, and has made none for this long, has stalled. */
const STALL_SECONDS = 300;
/** Less than this share says little about the rest. */
const MIN_PROGRESS = 0.01;

/** How long an attempt has been running, how long it should take in all, and what is left of that; undefined = unknown. */
export interface AttemptEstimate {
  elapsedSeconds: number;
  totalSeconds?: number;
  secondsLeft?: number;
  /** Whether it has taken far longer than was measured on its slot before. */
  isFarOver: boolean;
}

/** A slot with an attempt that runs on it. */
export type BusySlot = LiveSlot & { running: LiveAttempt };

/** Returns the times of an attempt at `nowMs` (Unix time). An overdue one is expected to need as long again as it is late. */
export function timeAttempt(attempt: LiveAttempt, nowMs: number): AttemptEstimate {
  const elapsedSeconds = secondsSince(attempt.since, nowMs);
  const totalSeconds = totalByProgress(attempt) ?? attempt.expectedSeconds;
  const isFarOver =
    attempt.expectedSeconds !== undefined &&
    elapsedSeconds > FAR_OVER_SECONDS &&
    elapsedSeconds > FAR_OVER_FACTOR * attempt.expectedSeconds;
  if (totalSeconds === undefined) return { elapsedSeconds, isFarOver };
  const secondsLeft = Math.max(totalSeconds, 2 * elapsedSeconds - totalSeconds) - elapsedSeconds;
  return { elapsedSeconds, totalSeconds, secondsLeft, isFarOver };
}

/**
 * Returns the seconds until all work is done: at least until the chunk that takes longest has ended. undefined = unknown, because
 * something that is left has no known duration.
 */
export function estimateSecondsLeft(live: LiveRun, nowMs: number): number | undefined {
  const { waiting, usableSlots, running } = live;
  if (waiting.seconds === undefined || (usableSlots === 0 && running + Number(waiting.units) > 0)) return undefined;
  let [longest, sum] = [0, 0];
  for (const { running: attempt } of listBusySlots(live)) {
    const { secondsLeft } = timeAttempt(attempt, nowMs);
    if (secondsLeft === undefined) return undefined;
    longest = Math.max(longest, secondsLeft);
    sum += secondsLeft;
  }
  return Math.max(longest, waiting.seconds + sum / Math.max(1, usableSlots));
}

/** Returns the slots on which an attempt runs; of several that run one together, the first. */
export function listBusySlots({ slots }: LiveRun): BusySlot[] {
  return slots.filter(
    (one): one is BusySlot => one.running !== undefined && (one.running.slots?.[0] ?? one.slot) === one.slot,
  );
}

/** Returns the slots whose attempts are far over their expected duration, the longest first. */
export function listFarOver(live: LiveRun, nowMs: number): BusySlot[] {
  const over = listBusySlots(live).filter(({ running }) => timeAttempt(running, nowMs).isFarOver);
  return over.sort((a, b) => Date.parse(a.running.since) - Date.parse(b.running.since));
}

/** Returns how long an attempt that reports its progress has made none, in seconds; undefined where that is not worth a word. */
export function findStallSeconds({ progressAt }: LiveAttempt, nowMs: number): number | undefined {
  const seconds = progressAt === undefined ? 0 : secondsSince(progressAt, nowMs);
  return seconds >= STALL_SECONDS ? seconds : undefined;
}

/** Returns the slots whose attempts have stalled, and are not far over their expected duration; the longest stalled first. */
export function listStalled(live: LiveRun, nowMs: number): BusySlot[] {
  const stalled = listBusySlots(live).filter(
    ({ running }) => findStallSeconds(running, nowMs) !== undefined && !timeAttempt(running, nowMs).isFarOver,
  );
  return stalled.sort((a, b) => Date.parse(a.running.progressAt!) - Date.parse(b.running.progressAt!));
}

/** Returns the seconds since an ISO 8601 time. */
export function secondsSince(time: string, nowMs: number): number {
  return Math.max(0, nowMs - Date.parse(time)) / 1000;
}

function totalByProgress({ since, progress, progressAt }: LiveAttempt): number | undefined {
  if (progress === undefined || progressAt === undefined || progress < MIN_PROGRESS) return undefined;
  return (Date.parse(progressAt) - Date.parse(since)) / 1000 / progress;
}
